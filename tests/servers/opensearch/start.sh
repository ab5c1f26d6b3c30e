#!/usr/bin/env bash
# Starts one OpenSearch node for tests, from the distribution on Maven Central, and waits until it answers.
#
#   start.sh [--version V] [--port N] [--heap SIZE] [--data FOLDER]
#            [--cluster PORTS] [--setting KEY=VALUE]... [--jvm OPTION]... [--timeout SECONDS]
#
# On success it prints these variables for a shell's eval, and saves them in the file `env` of the run folder:
#   OPENSEARCH_URL, OPENSEARCH_PID, OPENSEARCH_RUN_DIR
#
#   --version V          the server's version (3.8.0)
#   --port N             its HTTP port on 127.0.0.1 (9230)
#   --heap SIZE          the server's heap (1g)
#   --data FOLDER        keep the data in this folder; without it each start begins empty
#   --cluster PORTS      be a node of a cluster: the HTTP and transport ports of all its nodes, such as
#                        9230:9330,9231:9331,9232:9332. A node of a new cluster answers once most of them have started
#   --setting KEY=VALUE  another line of opensearch.yml
#   --jvm OPTION         another option for the JVM: -XX:TieredStopAtLevel=1 starts faster, then runs slower
#   --timeout SECONDS    how long to wait for the first answer (120)
#
# Environment:
#   MAILTRACE_OPENSEARCH_CACHE       unpacked servers (default ${XDG_CACHE_HOME:-~/.cache}/mailtrace-opensearch)
#   MAILTRACE_OPENSEARCH_RUN         one folder per port (default ${TMPDIR:-/tmp}/mailtrace-opensearch-UID)
#   MAILTRACE_OPENSEARCH_USER        user of the server if root starts it (nobody), since OpenSearch refuses root
#   OPENSEARCH_JAVA_HOME, JAVA_HOME  Java to use instead of the newest installed one that this version runs on
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=SCRIPTDIR/lib.sh
. "$here/lib.sh"

usage() {
  sed -n '/^#!/d; /^#/!q; s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

version=$DEFAULT_VERSION port=9230 heap=1g data='' cluster='' timeout=120
settings=() jvm=()
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    --version | --port | --heap | --data | --cluster | --setting | --jvm | --timeout)
      (($# > 1)) || die "$1 needs a value"
      case $1 in
        --version) version=$2 ;;
        --port) port=$2 ;;
        --heap) heap=$2 ;;
        --data) data=$2 ;;
        --cluster) cluster=$2 ;;
        --setting) settings+=("${2%%=*}: ${2#*=}") ;;
        --jvm) jvm+=("$2") ;;
        --timeout) timeout=$2 ;;
      esac
      shift
      ;;
    *) die "unknown option $1 (see --help)" ;;
  esac
  shift
done
[[ $port =~ ^[0-9]+$ && $timeout =~ ^[0-9]+$ ]] || die "--port and --timeout take numbers"
need curl python3 flock setsid

releases=$(java_releases "$version")
# shellcheck disable=SC2086 # two words
java_home=$(find_java $releases)
source_home=$(fetch_server "$version")

# Empty the run folder, unless a server still runs in it.
run=$(run_dir "$port")
mkdir -p "$run"
run=$(cd "$run" && pwd -P)
[[ $run != *[[:space:]]* ]] || die "OpenSearch's scripts accept no folder with a space in its name: $run"
exec 8>"$run.lock"
flock 8
if pid=$(running "$run"); then
  die "port $port is used by the server with pid $pid: stop it with stop.sh --port $port"
fi
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
  die "another program answers on port $port"
fi
if [[ -n $(ls -A "$run") && ! -e $run/home/lib ]]; then
  die "$run is not the run folder of a server"
fi
find "$run" -mindepth 1 -delete
mkdir -p "$run/home/lib" "$run/config" "$run/logs" "$run/tmp"

# Copy the server, with hard links where possible: the user who runs the server may not be able to read the cache.
cp -al "$source_home/." "$run/home" 2>/dev/null || cp -a --remove-destination "$source_home/." "$run/home"
cp -r "$source_home/config/." "$run/config"
# An unprivileged user may not write to the folder of that log.
sed -i '/gc\.log/d' "$run/config/jvm.options"
mkdir -p "$run/config/jvm.options.d"
printf '%s\n' "-Xms$heap" "-Xmx$heap" -XX:-AlwaysPreTouch "-XX:ErrorFile=$run/logs/hs_err_pid%p.log" \
  "-XX:HeapDumpPath=$run/logs" ${jvm[@]+"${jvm[@]}"} >"$run/config/jvm.options.d/test.options"
data=${data:-$run/data}
new_data=''
if [[ ! -d $data ]]; then
  mkdir -p "$data"
  new_data=1
fi
data=$(cd "$data" && pwd -P)

{
  cat <<YML
cluster.name: mailtrace-test
network.host: 127.0.0.1
http.port: $port
path.data: "$data"
path.logs: "$run/logs"
node.store.allow_mmap: false
cluster.routing.allocation.disk.threshold_enabled: false
YML
  discovery_settings "$port" "$cluster" cluster.initial_cluster_manager_nodes
  if ((${#settings[@]})); then
    printf '%s\n' "${settings[@]}"
  fi
} >"$run/config/opensearch.yml"

# OpenSearch refuses to run as root: an unprivileged user starts it and owns the files that it writes.
as_user=()
if ((EUID == 0)); then
  user=${MAILTRACE_OPENSEARCH_USER:-nobody}
  need setpriv
  group=$(id -g "$user") || die "there is no user $user: set MAILTRACE_OPENSEARCH_USER"
  as_user=(setpriv "--reuid=$(id -u "$user")" "--regid=$group" --clear-groups --no-new-privs)
  chown -R "$user:$group" "$run/config" "$run/logs" "$run/tmp"
  chmod a+x "$(dirname "$run")" "$run"
  if [[ -n $new_data || -z $(ls -A "$data") ]]; then
    chown "$user:$group" "$data"
  fi
  "${as_user[@]}" test -w "$data" || die "$user may not write to $data"
  "${as_user[@]}" test -x "$java_home/bin/java" || die "$user may not run $java_home/bin/java"
fi

# With -d the launcher returns at once and hides why a node does not start, so it runs in the foreground of its own
# session. Each program of the command replaces the one before, so its pid is the server's.
cd "$run"
began=$SECONDS
setsid ${as_user[@]+"${as_user[@]}"} env -i "PATH=$PATH" "HOME=$run" "LANG=${LANG:-C.UTF-8}" \
  "OPENSEARCH_JAVA_HOME=$java_home" "OPENSEARCH_PATH_CONF=$run/config" "OPENSEARCH_TMPDIR=$run/tmp" \
  "$run/home/bin/opensearch" >"$run/logs/start.log" 2>&1 </dev/null 8>&- &
pid=$!
echo "$pid" >"$run/opensearch.pid"
started=''
trap '[[ -n $started ]] || kill "$pid" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM HUP

url=http://127.0.0.1:$port
until [[ $(curl -sS --noproxy '*' --max-time 10 -o "$run/logs/answer.log" -w '%{http_code}' \
  "$url/_cluster/health?wait_for_status=yellow&timeout=5s" 2>>"$run/logs/curl.log") == 200 ]]; do
  if ! kill -0 "$pid" 2>/dev/null; then
    grep -vE '\]\[(INFO|DEBUG) *\]|^\s+(at |\.\.\. )' "$run/logs/start.log" | tail -n 30 >&2 || true
    die "OpenSearch did not start: see $run/logs"
  fi
  ((SECONDS - began <= timeout)) || die "$url did not answer in $timeout s: see $run/logs"
  sleep 0.2
done
started=1

printf 'OPENSEARCH_URL=%q\nOPENSEARCH_PID=%q\nOPENSEARCH_RUN_DIR=%q\n' "$url" "$pid" "$run" | tee "$run/env"
