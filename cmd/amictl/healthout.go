package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// The statuses of a Nagios plugin.
const (
	nagiosOK       = 0
	nagiosWarning  = 1
	nagiosCritical = 2
	nagiosUnknown  = 3
)

// level is the whole check's status. With --min-ready that many nodes are ok, however the others are. A node whose own
// settings are wrong was not looked at: it is unknown, and matters less than one that is down.
func (r *healthRun) level(found []checkup) int {
	if r.need > 0 && up(found) >= r.need {
		return nagiosOK
	}
	level := nagiosOK
	for i := range found {
		switch h := &found[i]; {
		case h.err != nil && classify(h.err).Exit == exitUsage:
			level = nagiosUnknown
		case h.err != nil || h.critical:
			return nagiosCritical
		case h.degraded != "" && level == nagiosOK:
			level = nagiosWarning
		}
	}
	return level
}

// nagiosFailure is the status line of a check that could not be made.
func nagiosFailure(f failure) []byte {
	return []byte("AMI UNKNOWN - " + nagiosText(f.Message) + "\n")
}

// wantsNagios reports whether the command line asks for a Nagios check. It may be one that could not be parsed: Nagios
// would take the status of a usage error for CRITICAL.
func (a *app) wantsNagios() bool {
	form, command := "", ""
	root := a.commands()
	for i := 0; i < len(a.args); i++ {
		arg := a.args[i]
		if len(arg) < 2 || arg[0] != '-' {
			command = firstOf(command, arg)
			continue
		}
		name, value, has := strings.Cut(arg, "=")
		flag, _ := lookupFlag(root, root, arg)
		if flag != nil && !isBool(flag) && !has && i+1 < len(a.args) {
			i++
			value = a.args[i]
		}
		if name == "-o" || name == "--output" {
			form = value
		}
	}
	if form == "" {
		form, _ = a.env("AMICTL_OUTPUT")
	}
	if form == "" && a.settings != nil {
		form = a.settings.get("output")
	}
	return command == "health" && form == "nagios"
}

// nagios writes a status line with performance data, and a line for each node that is not ready.
func (r *healthRun) nagios(found []checkup) []byte {
	down, degraded, calls, channels := 0, 0, 0, 0
	var slowest time.Duration
	var why []string
	for i := range found {
		h := &found[i]
		switch {
		case h.err != nil:
			down++
		case h.degraded != "":
			degraded++
		}
		if text := h.reason(); text != "" {
			if !strings.HasPrefix(text, h.node+":") {
				text = h.node + ": " + text
			}
			why = append(why, nagiosText(text))
		}
		calls += max(h.calls, 0)
		channels += max(h.channels, 0)
		slowest = max(slowest, h.ping)
	}
	level := r.level(found)
	ready := len(found) - down - degraded
	line := fmt.Sprintf("AMI %s - %d of %d nodes ready", [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[level], ready, len(found))
	if len(why) > 0 {
		line += "; " + why[0]
	}
	line += fmt.Sprintf(" | ready=%d;;;0;%d degraded=%d down=%d calls=%d channels=%d ping_max=%ss;;;0\n",
		ready, len(found), degraded, down, calls, channels, strconv.FormatFloat(slowest.Seconds(), 'f', -1, 64))
	for _, text := range why[min(1, len(why)):] {
		line += text + "\n"
	}
	return []byte(line)
}

// nagiosText keeps text from being taken for performance data or another line.
func nagiosText(s string) string { return strings.ReplaceAll(output.Safe(s), "|", "/") }

// healthFigures are the metrics of a checkup beside the engine's own.
var healthFigures = []struct {
	name, help string
	value      func(h *checkup) float64
}{
	{"ami_health_ready", "Whether the node is ready and meets no --warn or --crit.", func(h *checkup) float64 { return metrics.Bool(h.state() == "ready") }},
	{"ami_health_degraded", "Whether the node takes actions, but is degraded or critical.", func(h *checkup) float64 { return metrics.Bool(h.err == nil && h.degraded != "") }},
	{"ami_health_login_refused", "Whether the server refused the login.", func(h *checkup) float64 { return metrics.Bool(h.state() == "login-refused") }},
	{"ami_health_login_seconds", "Dial to login answer.", func(h *checkup) float64 { return seconds(h.login, h.login > 0) }},
	{"ami_health_ping_seconds", "Round trip of a Ping.", func(h *checkup) float64 { return seconds(h.ping, h.ping > 0) }},
	{"ami_health_uptime_seconds", "Time since the server started.", func(h *checkup) float64 { return seconds(h.uptime, h.uptime >= 0) }},
	{"ami_health_calls", "Calls that the server has now.", func(h *checkup) float64 { return figure(h.calls) }},
	{"ami_health_channels", "Channels that the server has now.", func(h *checkup) float64 { return figure(h.channels) }},
	{"ami_health_time_seconds", "When the node was looked at, since the epoch.", func(h *checkup) float64 { return float64(h.at.UnixMicro()) / 1e6 }},
}

// promFamilies returns the engine's own metrics of each node, then what was found. A figure that is not known has no sample.
func promFamilies(found []checkup) []metrics.Family {
	var stats ami.ClusterStats
	for i := range found {
		stats.Nodes = append(stats.Nodes, found[i].stats)
	}
	all := metrics.Of(&stats)
	for _, m := range healthFigures {
		f := metrics.Family{Name: m.name, Kind: metrics.Gauge, Help: m.help, Labels: []string{"node"}}
		for i := range found {
			if v := m.value(&found[i]); v == v { // not NaN
				f.Add(v, found[i].node)
			}
		}
		all = append(all, f)
	}
	info := metrics.Family{
		Name: "ami_health_info", Kind: metrics.Gauge, Help: "The server's release and its manager's version.",
		Labels: []string{"node", "version", "banner"},
	}
	for i := range found {
		if h := &found[i]; h.err == nil {
			info.Add(1, h.node, h.version, h.banner)
		}
	}
	return append(all, info)
}

// replaceOutput writes a file whole or not at all, so that who reads it never sees half of it. A device or a pipe is
// written to: a file in its place would be the end of it.
func replaceOutput(flag, path string, text []byte) error {
	if path == "-" {
		return usageError("without "+flag+" it goes there", "%s writes to a file, and not to standard output", flag)
	}
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		if err := os.WriteFile(path, text, 0); err != nil {
			return usageError(writeHint, "%s: %v", flag, err)
		}
		return nil
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // the link stays
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".amictl-*")
	if err != nil {
		return usageError(writeHint, "%s: %s: %v", flag, path, withoutPath(err))
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return usageError(writeHint, "%s: %v", flag, err)
	}
	return nil
}
