# shellcheck shell=bash
# Functions that elasticsearch/ and opensearch/ share. Those for start.sh use its variables.
# shellcheck disable=SC2154

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

# usage: prints the comment at the beginning of the script that runs.
usage() {
  sed -n '/^#!/d; /^#/!q; s/^# \{0,1\}//p' "$0"
}

# need_value OPTION [VALUE]...: ends the script if the option has no value.
need_value() {
  (($# > 1)) || die "$1 is unknown, or needs a value (see --help)"
}

# common_option OPTION VALUE: sets the variable of an option that the start.sh of all servers have.
# shellcheck disable=SC2034 # start.sh uses these variables
common_option() {
  case $1 in
    --version) version=$2 ;;
    --port) port=$2 ;;
    --heap) heap=$2 ;;
    --data) data=$2 ;;
    --cluster) cluster=$2 ;;
    --setting) settings+=("${2%%=*}: ${2#*=}") ;;
    --jvm) jvm+=("$2") ;;
    --timeout) timeout=$2 ;;
    *) die "unknown option $1 (see --help)" ;;
  esac
}

# empty_run_folder PORT: creates the run folder and sets `run`; empties it, unless a server still runs in it. `running` and
# `run_dir` are those of lib.sh.
empty_run_folder() {
  local pid
  run=$(run_dir "$1")
  mkdir -p "$run"
  run=$(cd "$run" && pwd -P)
  exec 8>"$run.lock"
  flock 8
  if pid=$(running "$run"); then
    die "port $1 is used by the server with pid $pid: stop it with stop.sh --port $1"
  fi
  if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
    die "another program answers on port $1"
  fi
  if [[ -n $(ls -A "$run") && ! -e $run/home/lib ]]; then
    die "$run is not the run folder of a server"
  fi
  find "$run" -mindepth 1 -delete
  mkdir -p "$run/home/lib" "$run/config" "$run/logs" "$run/tmp"
}

# copy_server HOME: copies a server and its configuration to the run folder, with hard links where possible, since the user
# who runs the server may not be able to read the cache.
copy_server() {
  cp -al "$1/." "$run/home" 2>/dev/null || cp -a --remove-destination "$1/." "$run/home"
  cp -r "$1/config/." "$run/config"
  mkdir -p "$run/config/jvm.options.d"
}

# create_data_folder: creates the folder of --data, or one in the run folder; `new_data` is set if it is new.
create_data_folder() {
  data=${data:-$run/data}
  new_data=''
  if [[ ! -d $data ]]; then
    mkdir -p "$data"
    new_data=1
  fi
  data=$(cd "$data" && pwd -P)
}

# common_settings SETTING: prints the lines of the configuration file that all servers have. SETTING names the nodes that
# elect the first master.
common_settings() {
  cat <<YML
cluster.name: mailtrace-test
network.host: 127.0.0.1
http.port: $port
path.data: "$data"
path.logs: "$run/logs"
node.store.allow_mmap: false
cluster.routing.allocation.disk.threshold_enabled: false
YML
  discovery_settings "$port" "$cluster" "$1"
  if ((${#settings[@]})); then
    printf '%s\n' "${settings[@]}"
  fi
}

# become_unprivileged VARIABLE: sets `as_user` to what runs a command as the user in this variable (nobody), to whom the
# written files then belong, since the servers refuse to run as root. Without root, it is empty.
become_unprivileged() {
  local user group
  as_user=()
  ((EUID == 0)) || return 0
  user=${!1:-nobody}
  need setpriv
  group=$(id -g "$user") || die "there is no user $user: set $1"
  as_user=(setpriv "--reuid=$(id -u "$user")" "--regid=$group" --clear-groups --no-new-privs)
  chown -R "$user:$group" "$run/config" "$run/logs" "$run/tmp"
  chown "$user:$group" "$run"
  chmod a+x "$(dirname "$run")" "$run"
  if [[ -n $new_data || -z $(ls -A "$data") ]]; then
    chown "$user:$group" "$data"
  fi
  "${as_user[@]}" test -w "$data" || die "$user may not write to $data"
  "${as_user[@]}" test -x "$java_home/bin/java" || die "$user may not run $java_home/bin/java"
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
        usage
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
