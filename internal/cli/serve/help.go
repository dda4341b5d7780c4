package serve

import (
	"strings"

	"github.com/apntalk/amictl/internal/serve/users"
)

const help = `Examples:
  amictl serve --sim 3 --http localhost:8080  # http://localhost:8080/
  amictl serve --http 127.0.0.1:8080 --ami pbx1=127.0.0.1:5138
  amictl serve --http :8443 --users users.toml --cert pbx.pem --key pbx.key
  curl -N 127.0.0.1:8080/v1/events?event=Hangup

Keeps one event session and one action session to each server, holds their state, and opens doors for everybody else. --http
has metrics for Prometheus, the state, events and actions as JSON, and a wall board; --ami is an AMI server for clients that
know nothing of amictl, one for each node. docs/serve.md describes them.

Users and their rights are in the configuration ([[users]]) or in the file of --users. Without users a door is open to this
host only, and only for reading. Beyond this host a door needs users, --cert and --key.

SIGHUP reads the configuration, users and certificate again; clients that still have the right to stay do. SIGINT or SIGTERM
refuses new clients, finishes what was accepted within --grace, and ends.
Exits 2 if it cannot start, or 3 if that may pass, such as an address that is taken; otherwise it runs until a signal ends it.
`

// configuration has every key of config.Serve and, behind it, of users.Spec.
const configuration = `
Configuration:
  context = "pbx"                # its nodes are served; see context --help

  [serve]                        # a flag goes before its key
  http = "127.0.0.1:8080"
  ami = ["pbx1=127.0.0.1:5138"]  # NODE= where there are several
  users = "users.toml"           # a file in place of [[users]]
  cert = "pbx.pem"
  key = "pbx.key"
  require = "all"                # or a number of nodes
  endpoint_metrics = true
  grace = "10s"
  log = "json"
  pprof = "/run/amictl/pprof"
  each = ["Hangup", "Queue*"]    # with a bus

`

const secrets = `
A user's secret is that of its AMI login, and its bearer token of HTTP: the header "Authorization: Bearer SECRET". It is in a
file of its own (one line; a path is relative to the configuration's folder), which the service must be able to read, and no two
users have the same. A new secret is one such as "openssl rand -hex 24" prints. A user sees and does only what its keys allow:
one with name and secret alone sees nothing.
`

const paths = `
Paths:
  /                              the wall board's page; open
  /board/{file}                  what the page is made of; open
  /healthz                       whether the daemon lives; open
  /readyz                        whether --require is met; open
  /metrics                       figures of all nodes for Prometheus; open
  /v1/openapi.json               a description of all of them; open
  /v1/nodes                      the sessions to each server; any user
  /v1/state, /v1/state/{part}    what the servers hold; events
  /v1/calls                      the calls that are up; events
  /v1/board                      what the board shows; events
  /v1/events                     events as they come; events
  POST /v1/actions               an action, or many; actions

What is open needs no token. The rest needs that of a user with the right that is named; without users, this host alone may
read all of it.
`

const files = `
Files:
  /etc/amictl/config.toml           what the units read, in AMICTL_CONFIG:
                                    contexts, [serve], [[users]]
  /etc/amictl/checks/NAME.toml      profiles of check
  /usr/lib/systemd/system/amictl-serve.service
                                    runs serve; reload is SIGHUP
  /usr/lib/systemd/system/amictl-check@.timer
                                    as amictl-check@NAME.timer it runs
                                    check with a profile every 5 minutes

They are a package's, with the user and group amictl, whose group has to be able to read what is in /etc/amictl:
  install -m 640 -g amictl /dev/null /etc/amictl/wall.secret
  openssl rand -hex 24 > /etc/amictl/wall.secret
  systemctl enable --now amictl-serve.service amictl-check@NAME.timer`

// description is all of the help.
func description() string {
	example := "  " + strings.ReplaceAll(strings.TrimSpace(users.Example), "\n", "\n  ") + "\n"
	return help + configuration + example + secrets + paths + files
}
