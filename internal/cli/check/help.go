package check

import "github.com/apntalk/amictl/internal/cond"

const help = `Examples:
  amictl check                      reached, Asterisk, logged in, booted
  amictl check pbx.toml -o nagios   one line, performance data; 0 to 3
  amictl check pbx.toml -o prometheus --watch --every 30s --out pbx.prom
  amictl check --init -n pbx1 --out pbx1.toml    a profile to begin with
  amictl check smoke.toml --junit report.xml

Checks every node, on a session of its own. Without a file it looks at connection, banner, certificate, login, Ping and
boot; a profile asks for more:

  banner = "^Asterisk Call Manager/"    # a regular expression
  tls_days = 14                         # days the certificate must last
  classes = ["call", "originate"]       # in write= of the user
  actions = ["QueueStatus"]             # that the user may send
  modules = ["chan_pjsip", "app_queue"] # loaded
  [server]
  warn = "reload<5m"
  crit = "uptime<10m"
  [[registrations]]                     # all of them, each by itself
  crit = "registered=0"
  [[endpoints]]
  name = ["trunk*", "100"]              # globs; each must find one
  warn = "rtt>200ms"
  crit = "reachable=0"
  [[queues]]
  name = "support"
  warn = "callers>5 || wait>1m"
  crit = "available=0"
  [[channels]]
  title = "stuck channels"              # what the check is called
  where = "duration>4h && application!=ConfBridge"
  crit = "count>0"
  [[calls]]
  warn = "count>200 || longest>2h"
  [[command]]
  run = "core show uptime"
  expect = "System uptime"              # and reject = …
  [[command]]
  run = "core show channels count"
  expect = '(?P<channels>\d+) active channels?'
  crit = "channels>400"                 # named groups are figures
  [call]                                # a test call that must be answered
  channel = "Local/100@default"
  application = "Wait"                  # or exten = … and context = …
  data = "1"
  ring = "10s"

warn and crit are conditions on figures. Times are in seconds or with a unit.
  server         uptime, reload (time since), processed (calls)
  ping           rtt
  registrations  registered (1 or 0)
  endpoints      contacts, reachable (contacts), rtt (the longest)
  queues         members, unpaused, available, callers, wait (the longest),
                 completed, abandoned, holdtime, talktime
  conferences    parties
  channels, calls, callers, parked    count, longest (the oldest's time)
  members                             count, longest (pause)
  bridges, hints, devices             count
If warn or crit asks for count, registrations and the others are counted, too. where chooses by the keys that
` + "`amictl state`" + ` shows, and by what follows from them; conditions on things that are checked one by one may use all of these. Of a
command's output the first match of expect is used.
queues = ["support"] is a queue with members that are not all paused, endpoints = ["100"] PJSIP endpoints that can be called.

What the user may not ask is skipped; if warn or crit asks for it, the check is unknown, which is not well.
--init writes a profile of what one server has now: everything in it holds, and what does not is commented out.
--watch logs in anew each time; from then on only changes are reported on standard error.

Exits 0 when all is well, 1 when a check is not, 3 or 4 when a node cannot be reached or logged in to, 6 when nodes
ended differently. -o prometheus: 0 once written. -o nagios: 0 ok, 1 warning, 2 critical, 3 unknown, which includes
a wrong command line or profile. Its first line tells what is not well, as far as 200 characters hold it; where several checks are not,
each has a line of its own behind it.

` + cond.Grammar + "\n" + cond.Keys
