package act

import (
	"context"
	"errors"
	"strings"

	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/catalog"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

// Aim returns the nodes that an action is for once everything allows it to be sent: several nodes only when that is
// wanted, a protected context only when somebody agrees. With --dry-run it prints the action instead, and done is true. A header
// that nobody knows is told of.
func Aim(ctx context.Context, r *run.Run, f *target.Fanout, bus *target.Bus, action *ami.Action) (nodes []ami.Config, done bool, err error) {
	if nodes, err = bus.Servers(ctx, r); err != nil {
		return nil, false, err
	}
	if err := f.Check(len(nodes)); err != nil {
		return nil, false, err
	}
	if f.DryRun {
		done, err = true, DryRun(r, f, nodes, *action)
	} else {
		err = Permit(r, f, nodes, action)
	}
	if err == nil {
		WarnUnknown(r, action)
	}
	return nodes, done, err
}

// Permit asks, or wants --yes, before an action that may change a protected server.
func Permit(r *run.Run, f *target.Fanout, nodes []ami.Config, action *ami.Action) error {
	if f.Yes || OnlyReads(action) {
		return nil
	}
	protection := ProtectedBy(r, nodes)
	refusal := protection.Refusal(r, action, "")
	if refusal == nil {
		return nil
	}
	if !r.CanAsk() {
		return refusal
	}
	names := make([]string, 0, len(nodes))
	for i := range nodes {
		names = append(names, nodes[i].Name)
	}
	answer, err := r.Ask(strings.TrimSuffix(protection.why(r, ""), ",") + ": send " + action.Name + " to " + shorten(names) + "? [y/N] ")
	if err != nil || !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes") {
		return refusal
	}
	return nil
}

// OnlyReads reports whether an action is known to change nothing. Of Asterisk's own commands those that show are.
func OnlyReads(action *ami.Action) bool {
	if !wire.EqualFold(action.Name, "Command") {
		return catalog.ReadOnly(action.Name)
	}
	words := strings.Fields(strings.ToLower(action.Get("Command")))
	return len(words) > 0 && words[0] == "help" || len(words) > 1 && (words[1] == "show" || words[1] == "list")
}

// dryRunID stands for the ActionID, which is another one each time.
const dryRunID = "1-00000000000000000000-0.1"

// DryRun prints the bytes that would be sent to each node, their secrets hidden.
func DryRun(r *run.Run, f *target.Fanout, nodes []ami.Config, actions ...ami.Action) error {
	several := len(nodes) > 1 && f.Route == ""
	p, err := r.Printer(run.CommandText, several, several || len(actions) > 1)
	if err != nil {
		return err
	}
	for i, node := range nodes {
		if i > 0 && !several {
			r.Note("dry run: or to another of %d nodes; --route %s decides", len(nodes), f.Route)
			break
		}
		for _, action := range actions {
			if err := PrintDry(r, p, &node, &action, 0); err != nil {
				return err
			}
		}
	}
	return p.Close()
}

// errDry ends a run that was a dry one.
var errDry = errors.New("dry run")

// DryRunOnly is DryRun for a caller that has more to prepare than the action: its error is never nil.
func DryRunOnly(r *run.Run, f *target.Fanout, nodes []ami.Config, action *ami.Action) error {
	if err := DryRun(r, f, nodes, *action); err != nil {
		return err
	}
	return errDry
}

// NotDry returns err, but for the end of a dry run nil.
func NotDry(err error) error {
	if errors.Is(err, errDry) {
		return nil
	}
	return err
}

// PrintDry prints one action for one node; line is the line of input that asked, 0 if there was none.
func PrintDry(r *run.Run, p *output.Printer, node *ami.Config, action *ami.Action, line int) error {
	packet, err := wire.AppendAction(make([]byte, 0, 256), action.Name, []byte(dryRunID), action.Fields)
	if err != nil {
		return &ami.OpError{Op: ami.OpDo, Action: action.Name, Err: err}
	}
	text := r.Redactor().Text(string(packet))
	if p.Options().Format == output.Raw {
		r.Note("dry run: to %s (%s)", node.Name, node.Addr)
		return p.Packet(text)
	}
	var number any
	if line > 0 {
		number = line
	}
	return p.Record(output.Record{
		{Key: "type", Value: "dry-run"},
		{Key: "node", Value: node.Name},
		{Key: "addr", Value: node.Addr},
		{Key: "action", Value: action.Name},
		{Key: "line", Value: number},
		{Key: "packet", Value: text},
	})
}

// shorten lists a few of many names.
func shorten(names []string) string {
	const most = 5
	s := ""
	for i, n := range names {
		if i == most {
			return s + ", …"
		}
		if i > 0 {
			s += ", "
		}
		s += n
	}
	return s
}
