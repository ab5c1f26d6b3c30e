# shellcheck shell=bash
# Functions for start.sh and stop.sh, which source this file.

# shellcheck disable=SC2034 # the scripts that source this file use it
DEFAULT_VERSION=3.8.0

# shellcheck source=SCRIPTDIR/../common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

# java_releases VERSION: prints the oldest and the newest Java release for this OpenSearch. Version 2 needs a security
# manager, which Java 24 no longer has.
java_releases() {
  case $1 in
    3.*) echo 21 99 ;;
    2.*) echo 11 23 ;;
    *) die "supports OpenSearch 2 and 3, not $1" ;;
  esac
}

# find_java OLDEST NEWEST: prints a Java home between these releases: OPENSEARCH_JAVA_HOME or JAVA_HOME if suitable, else
# the newest installed one.
find_java() {
  local found
  found=$(find_java_home "$1" "$2" java "${OPENSEARCH_JAVA_HOME:-}" "${JAVA_HOME:-}")
  [[ -n $found ]] || die "needs a Java of release $1 to $2: set OPENSEARCH_JAVA_HOME"
  echo "$found"
}

# fetch_server VERSION: prints the folder of the unpacked distribution, fetching it from Maven Central the first time.
fetch_server() {
  local cache=${MAILTRACE_OPENSEARCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mailtrace-opensearch}/$1
  fetch_distribution org.opensearch.distribution.integ-test-zip opensearch "$1" "$cache"
}

# run_dir PORT: prints the folder with the configuration, logs, data and pid of the server on that port.
run_dir() {
  echo "${MAILTRACE_OPENSEARCH_RUN:-${TMPDIR:-/tmp}/mailtrace-opensearch-$(id -u)}/$1"
}

# running RUN_DIR: prints the pid of the server started for that folder, if it is alive. It checks the command line too,
# because another process may have been given the pid since. The pid is first the launcher's, then Java's.
running() {
  local pid
  pid=$(cat "$1/opensearch.pid" 2>/dev/null) || return 1
  [[ $pid =~ ^[0-9]+$ ]] || return 1
  tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" |
    grep -qxF -e "-Dopensearch.path.home=$1/home" -e "$1/home/bin/opensearch" || return 1
  echo "$pid"
}
