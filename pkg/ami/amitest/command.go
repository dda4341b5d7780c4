package amitest

import (
	"fmt"
	"strings"
	"time"
)

var commandActions = []action{{name: "Command", run: command}}

// forbiddenCommands are those that action_command refuses.
var forbiddenCommands = []string{"module load", "module unload", "restart gracefully"}

// command is action_command in the form of the server's series.
func command(r *Request, w *ResponseWriter) {
	cmd := r.Get("Command")
	if cmd == "" {
		w.Error("No command provided")
		return
	}
	for _, f := range forbiddenCommands {
		if hasPrefixFold(cmd, f) {
			w.Error("Command blacklisted")
			return
		}
	}
	if d, ok := parseShutdown(cmd); ok {
		s := w.sess.srv
		s.spawnOpen(func() { s.shutDown(s.ctx, d) })
		for w.sess.linger(time.Minute) { // until the session ends with the server
		}
		return
	}
	w.CommandOutput(w.sess.srv.runCommand(cmd))
}

// CommandOutput answers a Command action with a CLI's output: up to series 13 as
// Follows, text and --END COMMAND--, whatever the outcome; from 14 as Output
// headers with Error for a failure.
func (w *ResponseWriter) CommandOutput(text string, ok bool) {
	if w.sess.srv.cfg.version.legacy() {
		w.followsOutput(text)
		return
	}
	response, kind := "Success", markReply
	if !ok {
		response, kind = "Error", markError
	}
	w.head(response)
	b := append(w.sess.batch.b, "Message: Command output follows\r\n"...)
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		b = append(b, "Output: "...)
		b = append(b, line...)
		b = append(b, '\r', '\n')
	}
	w.sess.batch.b = append(b, '\r', '\n')
	w.sess.batch.close(kind)
	if w.sess.srv.cfg.settings.ExtraBlankLines {
		w.blank()
	}
}

// followsOutput is the old form: ActionID comes third, the body begins at once
// and the end mark is glued to its last text.
func (w *ResponseWriter) followsOutput(text string) {
	b := append(w.sess.batch.b, "Response: Follows\r\nPrivilege: Command\r\n"...)
	if id := w.sess.req.id; len(id) > 0 {
		b = appendHeader(b, "ActionID", string(id))
	}
	b = append(b, text...)
	w.sess.batch.b = append(b, "--END COMMAND--\r\n\r\n"...)
	w.sess.batch.close(markReply)
}

// runCommand finds the answer to a CLI command.
func (s *Server) runCommand(cmd string) (string, bool) {
	s.state.mu.Lock()
	var best string
	var f CommandFunc
	for prefix, candidate := range s.state.commands {
		if strings.HasPrefix(cmd, prefix) && len(prefix) >= len(best) {
			best, f = prefix, candidate
		}
	}
	s.state.mu.Unlock()
	if f != nil {
		return f(cmd)
	}
	switch strings.ToLower(strings.Join(strings.Fields(cmd), " ")) {
	case "core show version":
		return fmt.Sprintf("Asterisk %s built by amitest @ localhost on a x86_64 running Linux on 2026-01-01 00:00:00 UTC\n", s.cfg.version.Asterisk), true
	case "core show uptime":
		up := uptimeText(time.Since(s.bootTime()))
		return "System uptime: " + up + "\nLast reload: " + up + "\n", true
	case "core show channels":
		return s.showChannels(), true
	case "core show channels count":
		return s.channelCounts(), true
	case "core set verbose 0":
		return "Console verbose is still OFF.\n", true
	}
	words := strings.Fields(cmd)
	line := strings.Join(words, " ") + " "
	switch {
	case hasPrefixFold(line, "queue show ") && len(words) > 3:
		return "Usage: queue show\n       Provides summary information on a specified queue.\n", false
	case hasPrefixFold(line, "queue show "):
		return s.showQueues(strings.Join(words[2:], "")), true
	case hasPrefixFold(line, "module reload "):
		return reloadText(words[2:]), true
	}
	return fmt.Sprintf("No such command '%s' (type 'core show help %s' for other possible commands)\n", cmd, cmd), false
}

// uptimeText is print_uptimestr without the larger units that are zero.
func uptimeText(d time.Duration) string {
	secs := int(d / time.Second)
	var parts []string
	for _, u := range []struct {
		name string
		len  int
	}{{"week", 7 * 86400}, {"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}} {
		n := secs / u.len
		secs %= u.len
		switch {
		case n == 1:
			parts = append(parts, "1 "+u.name)
		case n > 1 || u.len == 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, u.name))
		}
	}
	return strings.Join(parts, ", ")
}

// showQueues is __queues_show, for one queue or, without a name, for all: a queue that is not there is a success too.
// Its members are in colour, which action_command takes out; the text is shorter then than it believes, so that it
// leaves the last line end.
func (s *Server) showQueues(name string) string {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	var b strings.Builder
	colored := false
	for _, q := range s.state.queues {
		if name == "" || strings.EqualFold(q.Name, name) {
			q.show(&b)
			colored = colored || len(q.Members) > 0
		}
	}
	switch {
	case b.Len() == 0 && name == "":
		return "No queues.\n"
	case b.Len() == 0:
		return "No such queue: " + name + ".\n"
	case colored:
		b.WriteByte('\n')
	}
	return b.String()
}

func (q *Queue) show(b *strings.Builder) {
	fmt.Fprintf(b, "%s, SL2:%s%% within %ds\n", q.figures(), q.serviceLevel2(), q.ServiceLevel)
	if len(q.Members) == 0 {
		b.WriteString("   No Members\n")
	} else {
		b.WriteString("   Members: \n")
	}
	for i := range q.Members {
		q.Members[i].show(b)
	}
	q.showCallers(b, "\n")
}

// figures is how the first line about a queue begins, for a person.
func (q *Queue) figures() string {
	return fmt.Sprintf("%s has %d calls (max unlimited) in '%s' strategy (0s holdtime, 0s talktime), W:0, C:%d, A:%d, SL:%s%%",
		q.Name, len(q.callers), q.Strategy, q.completed, q.abandoned, q.serviceLevel())
}

func (q *Queue) showCallers(b *strings.Builder, lineEnd string) {
	if len(q.callers) == 0 {
		b.WriteString("   No Callers" + lineEnd + lineEnd)
		return
	}
	b.WriteString("   Callers: " + lineEnd)
	for i, c := range q.callers {
		wait := seconds(c.joined)
		fmt.Fprintf(b, "      %d. %s (wait: %d:%02d, prio: 0)%s", i+1, c.channel.Name, wait/60, wait%60, lineEnd)
	}
	b.WriteString(lineEnd)
}

func (m *QueueMember) show(b *strings.Builder) {
	now := time.Now().Unix()
	b.WriteString("      " + m.Name)
	if m.Name != m.Interface {
		b.WriteString(" (" + m.Interface + ")")
	}
	if m.Penalty != 0 {
		fmt.Fprintf(b, " with penalty %d", m.Penalty)
	}
	b.WriteString(" (ringinuse enabled)")
	if !m.Static {
		b.WriteString(" (dynamic)")
	}
	if m.Paused {
		reason := ""
		if m.PausedReason != "" {
			reason = ":" + m.PausedReason
		}
		fmt.Fprintf(b, " (paused%s was %d secs ago)", reason, now-m.paused)
	}
	fmt.Fprintf(b, " (%s) has taken %s (login was %d secs ago)\n", deviceStateText(m.Status), m.work(), now-m.login)
}

// work is what a member has done, for a person.
func (m *QueueMember) work() string {
	if m.taken == 0 {
		return "no calls yet"
	}
	return fmt.Sprintf("%d calls (last was %d secs ago)", m.taken, time.Now().Unix()-m.last)
}

// deviceStateText is ast_devstate2str.
func deviceStateText(status int) string {
	names := [...]string{"Unknown", "Not in use", "In use", "Busy", "Invalid", "Unavailable", "Ringing", "Ring+Inuse", "On Hold"}
	if status < 0 || status >= len(names) {
		return "Unknown"
	}
	return names[status]
}

// reloadText is handle_reload: of each module a line, and of all together nothing. Like reload, every one but "nosuch…"
// is there.
func reloadText(modules []string) string {
	var b strings.Builder
	for _, m := range modules {
		if strings.HasPrefix(m, "nosuch") {
			b.WriteString("No such module '" + m + "'\n")
		} else {
			b.WriteString("Module '" + m + "' reloaded successfully.\n")
		}
	}
	return b.String()
}

func (s *Server) showChannels() string {
	const wide = "%-64.64s %-32.32s %-7.7s %-30.30s\n"
	const narrow = "%-20.20s %-20.20s %-7.7s %-30.30s\n"
	format := wide
	if s.cfg.version.Major < 18 {
		format = narrow
	}
	var b strings.Builder
	fmt.Fprintf(&b, format, "Channel", "Location", "State", "Application(Data)")
	for _, c := range s.state.Channels() {
		app := "(None)"
		if c.Application != "" {
			app = c.Application + "(" + c.Data + ")"
		}
		fmt.Fprintf(&b, format, c.Name, fmt.Sprintf("%s@%s:%d", c.Exten, orElse(c.Context, "default"), c.Priority), stateDesc(c.State), app)
	}
	return b.String() + s.channelCounts()
}

func (s *Server) channelCounts() string {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	return fmt.Sprintf("%s\n%s\n%s\n", count(len(s.state.channels), "active channel"),
		count(s.state.active, "active call"), count(s.state.calls, "call")+" processed")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
