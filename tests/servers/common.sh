# shellcheck shell=bash
# Functions that elasticsearch/lib.sh and opensearch/lib.sh share.

log() { printf '%s\n' "$*" >&2; }

die() {
  log "${0##*/}: $*"
  exit 1
}

need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || die "needs $tool"
  done
}

java_major() {
  local version
  version=$(sed -n 's/^JAVA_VERSION="\(.*\)"$/\1/p' "$1/release" 2>/dev/null) || true
  version=${version%%[.+-]*}
  echo "${version:-0}"
}

# find_java_home OLDEST NEWEST PROGRAM HOME...: prints a Java home between these releases with PROGRAM in its bin/: the
# first suitable HOME, else the newest installed one; nothing if there is none.
find_java_home() {
  local oldest=$1 newest=$2 program=$3 home major best='' best_major=0
  shift 3
  for home in "$@"; do
    major=$(java_major "$home")
    if [[ -n $home && -x $home/bin/$program ]] && ((major >= oldest && major <= newest)); then
      echo "$home"
      return
    fi
  done
  local candidates=(/usr/lib/jvm/*)
  if command -v java >/dev/null; then
    candidates+=("$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")")
  fi
  for home in "${candidates[@]}"; do
    [[ -x $home/bin/$program ]] || continue
    major=$(java_major "$home")
    if ((major >= oldest && major <= newest && major > best_major)); then
      best=$home best_major=$major
    fi
  done
  echo "$best"
}

# fetch_distribution GROUP NAME VERSION FOLDER: prints the folder of the unpacked distribution below FOLDER, fetching it
# from Maven Central the first time.
fetch_distribution() {
  local group=$1 name=$2 version=$3 cache=$4 home=$4/$2-$3 artifact
  if [[ ! -d $home ]]; then
    need mvn python3 flock
    mkdir -p "$cache"
    (
      flock 9
      [[ ! -d $home ]] || exit 0
      artifact=$group:$name:$version:zip
      log "fetching $name $version"
      mvn -q -B -Dstyle.color=never dependency:get -Dartifact="$artifact" -Dtransitive=false >&2
      mvn -q -B -Dstyle.color=never dependency:copy -Dartifact="$artifact" -DoutputDirectory="$cache" >&2
      rm -rf "$cache/unpack"
      python3 -m zipfile -e "$cache/$name-$version.zip" "$cache/unpack"
      # OpenSearch's databases of this module take 75 MB; nothing needs them.
      rm -rf "$cache/unpack/$name-$version/modules/ingest-geoip"
      chmod -R a+rX "$cache/unpack"
      chmod a+x "$cache/unpack/$name-$version"/bin/*
      mv "$cache/unpack/$name-$version" "$home"
      rm -rf "$cache/unpack" "$cache/$name-$version.zip"
    ) 9>"$cache/lock"
  fi
  echo "$home"
}

# discovery_settings PORT CLUSTER SETTING: prints how the node with this HTTP port finds the others, as lines of its
# configuration file. CLUSTER is the value of --cluster; SETTING names those that elect the first master.
discovery_settings() {
  local port=$1 setting=$3 nodes node names=() seeds=() transport=''
  echo "node.name: test-$port"
  if [[ -z $2 ]]; then
    printf '%s\n' 'discovery.type: single-node' 'transport.port: 0'
    return
  fi
  IFS=, read -ra nodes <<<"$2"
  for node in "${nodes[@]}"; do
    names+=("test-${node%:*}") seeds+=("127.0.0.1:${node#*:}")
    [[ ${node%:*} != "$port" ]] || transport=${node#*:}
  done
  [[ -n $transport ]] || die "--cluster $2 lacks port $port"
  echo "transport.port: $transport"
  (
    IFS=,
    printf '%s: [%s]\n' discovery.seed_hosts "${seeds[*]}" "$setting" "${names[*]}"
  )
}

# stop_server DEFAULT_PORT [--port N] [--keep]: what stop.sh does. `running` and `run_dir` are those of lib.sh.
stop_server() {
  local port=$1 keep='' run pid i
  shift
  while (($#)); do
    case $1 in
      --port)
        (($# > 1)) || die "$1 needs a value"
        port=$2
        shift
        ;;
      --keep) keep=1 ;;
      -h | --help)
        sed -n '/^#!/d; /^#/!q; s/^# \{0,1\}//p' "$0"
        exit
        ;;
      *) die "unknown option $1 (see --help)" ;;
    esac
    shift
  done
  [[ $port =~ ^[0-9]+$ ]] || die "--port takes a number"

  run=$(run_dir "$port")
  if [[ ! -d $run ]]; then
    log "nothing was started on port $port"
    exit
  fi
  run=$(cd "$run" && pwd -P)
  if pid=$(running "$run"); then
    kill "$pid"
    for ((i = 0; i < 300; i++)); do
      running "$run" >/dev/null || break
      sleep 0.1
    done
    if running "$run" >/dev/null; then
      log "pid $pid does not stop: sending SIGKILL"
      kill -KILL "$pid"
    fi
    log "stopped pid $pid"
  else
    log "no server runs on port $port"
  fi
  if [[ -z $keep ]]; then
    rm -rf "$run"
  fi
}
