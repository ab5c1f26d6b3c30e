#!/usr/bin/env bash
# Stops the server that start.sh started on a port, and removes its run folder, but nothing else.
#
#   stop.sh [--port N] [--keep]
#
#   --port N  the port given to start.sh (9230)
#   --keep    keep the run folder with its logs
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=SCRIPTDIR/lib.sh
. "$here/lib.sh"

stop_server 9230 "$@"
