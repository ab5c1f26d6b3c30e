#!/usr/bin/env bash
# As root on Debian, installs the programs that tests run: Postfix, rsyslog, systemd's checkers, groff, shells, Chromium. Prints a folder
# for PATH that contains syslog-ng, which is unpacked there, because Debian's package replaces rsyslog.
set -euo pipefail
folder="${XDG_CACHE_HOME:-$HOME/.cache}/mailtrace-tests"
mkdir -p "$folder/bin"
echo "$folder/bin"
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0
exec >&2
PATH="$PATH:/usr/sbin:/sbin"
declare -A packages=([postfix]=postfix [rsyslogd]=rsyslog [groff]=groff-base [systemd-analyze]=systemd [ip]=iproute2
    [setpriv]=util-linux [less]=less [logrotate]=logrotate [zsh]=zsh [fish]=fish
    [chromium]=chromium)
missing=()
for program in "${!packages[@]}"; do
    command -v "$program" >/dev/null || missing+=("${packages[$program]}")
done
if [ ${#missing[@]} -gt 0 ]; then
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "${missing[@]}"
fi
if [ ! -x "$folder/bin/syslog-ng" ]; then
    apt-get -qq update
    (
        mkdir -p "$folder/packages"
        cd "$folder/packages"
        apt-get -qq download syslog-ng-core
        # The names of its libraries differ between releases.
        for package in libivykis0 libnet1 libpcre3 libwrap0; do apt-get -qq download "$package" || true; done
        for package in *.deb; do dpkg -x "$package" "$folder/root"; done
    )
    modules="$(dirname "$(find "$folder/root" -name libaffile.so)")"
    libraries="$(find "$folder/root" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd:)"
    cat >"$folder/syslog-ng" <<END
#!/bin/sh
LD_LIBRARY_PATH='$libraries' exec '$folder/root/usr/sbin/syslog-ng' --module-path='$modules' "\$@"
END
    chmod +x "$folder/syslog-ng"
    mv "$folder/syslog-ng" "$folder/bin/syslog-ng"
fi
