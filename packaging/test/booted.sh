#!/bin/bash
# What a real systemd makes of the package. scripts/packages runs this as a service in a container that it boots; /old.deb and
# /new.deb are there. The last line of what it prints is PASSED or FAILED.
set -u
export DEBIAN_FRONTEND=noninteractive AMICTL_CONFIG=/etc/amictl/config.toml
readonly canary=canary-8c1f port=8080
failed=0

# check WHAT COMMAND... notes what does not hold, and goes on.
check() {
	local what=$1
	shift
	if "$@" >/tmp/said 2>&1; then
		echo "ok    $what"
	else
		failed=1
		echo "FAIL  $what"
		tail -n 5 /tmp/said | sed 's/^/      /'
	fi
}

# soon COMMAND... is true if the command is within 20 s.
soon() {
	local tries
	for ((tries = 0; tries < 200; tries++)); do
		if "$@"; then return; fi
		sleep 0.1
	done
	return 1
}

# answers STATUS PATH is true if the HTTP door says so.
answers() {
	local line
	exec 3<>/dev/tcp/127.0.0.1/$port || return 1
	printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$2" "$port" >&3 # 1.0 is what proxies speak
	read -r line <&3
	exec 3>&-
	[[ $line == *" $1 "* ]] || { echo "$2: $line" && false; }
}

active() { [[ $(systemctl is-active "$1") == active ]]; }
property() { systemctl show --value --property "$1" "${2:-amictl-serve.service}"; }
is() { [[ $1 == "$2" ]] || { echo "it is '$1', not '$2'" && false; }; }
isnt() { [[ $1 != "$2" ]] || { echo "it is still '$1'" && false; }; }
none() { ! "$@"; }

# A server, simulated, and a configuration of it as an admin makes it.
check "the older package is installed" dpkg -i /old.deb
check "nothing is started that is not configured" none active amictl-serve.service
(umask 077 && echo "$canary" >/etc/amictl/pbx.secret) && chgrp amictl /etc/amictl/pbx.secret && chmod 640 /etc/amictl/pbx.secret
systemd-run --quiet --unit=pbx --property=StandardOutput=file:/run/pbx.json amictl sim --user amictl --secret-from file:/etc/amictl/pbx.secret
check "a server is up" soon grep -q addr /run/pbx.json
address=$(sed -n 's/.*"addr":"\([^"]*\)".*/\1/p' /run/pbx.json)
cat >"$AMICTL_CONFIG" <<TOML
context = "pbx"
[contexts.pbx]
user = "amictl"
secret = "file:pbx.secret"
[contexts.pbx.nodes.pbx1]
url = "ami://$address"
[serve]
http = "127.0.0.1:$port"
TOML
check "the server answers" amictl health

check "the service starts, and is ready when systemctl returns" systemctl enable --now amictl-serve.service
check "it is active" active amictl-serve.service
check "it is healthy" answers 200 /healthz
check "it reaches the server" soon answers 200 /readyz
check "it runs as its own user" is "$(stat -c %U "/proc/$(property MainPID)")" amictl

pid=$(property MainPID)
kill -KILL "$pid"
restarted() { [[ $(property NRestarts) == 1 ]] && active amictl-serve.service; }
check "killed, it is started again" soon restarted
check "by another process" isnt "$(property MainPID)" "$pid"
check "which serves" soon answers 200 /readyz

pid=$(property MainPID)
check "anybody here may read" answers 200 /v1/nodes
cat >>"$AMICTL_CONFIG" <<TOML
[[users]]
name = "wall"
secret = "file:wall.secret"
events = ["*"]
TOML
(umask 077 && echo "$canary-wall" >/etc/amictl/wall.secret) && chgrp amictl /etc/amictl/wall.secret && chmod 640 /etc/amictl/wall.secret
check "it is reloaded" systemctl reload amictl-serve.service
check "and wants users then" soon answers 401 /v1/nodes
check "without another process" is "$(property MainPID)" "$pid"

check "it is restarted" systemctl restart amictl-serve.service
check "by another process" isnt "$(property MainPID)" "$pid"

pid=$(property MainPID)
cp -p "$AMICTL_CONFIG" /run/config.before
check "a newer package replaces it" dpkg -i /new.deb
check "the service runs the newer program" isnt "$(property MainPID)" "$pid"
check "it serves" soon answers 200 /readyz
check "it is what is on the disk" is "$(readlink "/proc/$(property MainPID)/exe")" /usr/bin/amictld
check "the configuration is as it was" cmp "$AMICTL_CONFIG" /run/config.before
check "its context is in use" amictl health --context pbx
check "its mode and group are as they were" is "$(stat -c %a:%U:%G "$AMICTL_CONFIG")" 640:root:amictl

printf '[[command]]\nrun = "core show uptime"\nexpect = "uptime"\n' >/etc/amictl/checks/good.toml
printf '[[command]]\nrun = "core show uptime"\nexpect = "no such text"\n' >/etc/amictl/checks/bad.toml
chmod 644 /etc/amictl/checks/*.toml
check "a check passes" systemctl start amictl-check@good.service
check "a check that is not well fails" none systemctl start amictl-check@bad.service
told() { grep -q "$2" <(journalctl -u "$1" -o cat); } # it is there a moment later
check "with what it found in the journal" soon told amictl-check@bad.service '"status":"fail"'
check "a timer runs it" systemctl enable --now amictl-check@good.timer
check "at some time" isnt "$(property NextElapseUSecRealtime amictl-check@good.timer)" ""

check "it is stopped, and that is no failure" systemctl stop amictl-serve.service
check "by what systemd says" is "$(property Result)" success
systemctl start amictl-serve.service
check "no secret is in the journal" none grep -F "$canary" <(journalctl -o cat)

check "it is purged while it runs" dpkg --purge amictl
check "no service is left" none active amictl-serve.service
check "no timer is left" none active amictl-check@good.timer
check "nothing of it is there" is "$(find / -xdev -name '*amictl*' -not -path '/var/lib/dpkg/*' -not -path '/proc/*' -not -path '/tmp/*' -not -path '/var/tmp/*' -not -path '/run/*')" ""
check "no user is there" none id amictl
check "no secret is there" is "$(grep -rlF "$canary" /etc /var/lib /home /root)" ""
systemctl stop pbx.service

if ((failed)); then
	journalctl -o cat -u amictl-serve.service | tail -n 30
	echo FAILED
else
	echo PASSED
fi
