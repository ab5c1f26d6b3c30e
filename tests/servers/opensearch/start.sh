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

version=$DEFAULT_VERSION port=9230 heap=1g data='' cluster='' timeout=120
settings=() jvm=()
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit
      ;;
    *)
      need_value "$@"
      common_option "$1" "$2"
      shift
      ;;
  esac
  shift
done
[[ $port =~ ^[0-9]+$ && $timeout =~ ^[0-9]+$ ]] || die "--port and --timeout take numbers"
need curl python3 flock setsid

releases=$(java_releases "$version")
# shellcheck disable=SC2086 # two words
java_home=$(find_java $releases)
source_home=$(fetch_server "$version")

empty_run_folder "$port"
[[ $run != *[[:space:]]* ]] || die "OpenSearch's scripts accept no folder with a space in its name: $run"
copy_server "$source_home"
# An unprivileged user may not write to the folder of that log.
sed -i '/gc\.log/d' "$run/config/jvm.options"
printf '%s\n' "-Xms$heap" "-Xmx$heap" -XX:-AlwaysPreTouch "-XX:ErrorFile=$run/logs/hs_err_pid%p.log" \
  "-XX:HeapDumpPath=$run/logs" ${jvm[@]+"${jvm[@]}"} >"$run/config/jvm.options.d/test.options"
create_data_folder

common_settings cluster.initial_cluster_manager_nodes >"$run/config/opensearch.yml"

become_unprivileged MAILTRACE_OPENSEARCH_USER

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
