package scenario

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// check refuses what cannot be run, and what would be expected of nothing.
func (s *Scenario) check() error {
	if s.About == "" {
		return errors.New("about is missing: say what is tested")
	}
	for i := range s.Servers {
		if err := s.checkServer(&s.Servers[i]); err != nil {
			return fmt.Errorf("server %q: %w", s.Servers[i].Name, err)
		}
	}
	if len(s.Servers) == 0 {
		return errors.New("there is no server")
	}
	for i := range s.Answers {
		if err := s.checkAnswer(&s.Answers[i]); err != nil {
			return fmt.Errorf("answer %d: %w", i+1, err)
		}
	}
	for i := range s.Faults {
		if err := s.checkFault(&s.Faults[i]); err != nil {
			return fmt.Errorf("fault %d: %w", i+1, err)
		}
	}
	if err := s.checkActions(); err != nil {
		return err
	}
	if err := s.checkSubscriptions(); err != nil {
		return err
	}
	for _, n := range s.Nodes {
		if err := errors.Join(s.named(n.On, s.nodeNames()), known(n.Expect, nodeKeys())); err != nil {
			return fmt.Errorf("node %q: %w", n.On, err)
		}
		if len(n.Expect) == 0 {
			return fmt.Errorf("node %q: nothing is expected", n.On)
		}
	}
	return known(s.Expect, runKeys)
}

// Expects returns how many expectations the scenario states, those that always hold not counted.
func (s *Scenario) Expects() int {
	n := len(s.Expect)
	for _, v := range s.Servers {
		n += len(v.Expect)
	}
	for _, v := range s.Nodes {
		n += len(v.Expect)
	}
	for _, v := range s.Subscriptions {
		n += len(v.Expect) + len(v.Delivered) + len(v.Lag)
	}
	for _, v := range s.Actions {
		n += v.Expect.len()
	}
	return n
}

func (s *Scenario) checkServer(v *Server) error {
	v.Count, v.Nodes = max(v.Count, 0), max(v.Nodes, 0)
	if v.Name == "" || strings.ContainsAny(v.Name, "*?[\\ :/") {
		return errors.New("a name is letters, digits and dashes")
	}
	if v.Version != "" {
		if _, err := amitest.ParseVersion(v.Version); err != nil {
			return err
		}
	}
	same := 0
	for _, name := range s.serverNames() {
		if slices.Contains(v.names(), name) {
			same++
		}
	}
	if same != len(v.names()) {
		return errors.New("the name is used twice")
	}
	return known(v.Expect, ledgerKeys())
}

func (s *Scenario) checkAnswer(v *Answer) error {
	kinds := 0
	for _, given := range []bool{v.Text != "", v.List != nil, v.Command != ""} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return errors.New("one of text, list and command must say what is answered")
	case v.Command == "" && v.Action == "":
		return errors.New("action is missing")
	case v.Command != "" && (v.Action != "" || v.Lines < 1 || v.Width < 1):
		return errors.New("command needs lines and width, and no action")
	case v.Command == "" && (v.Lines != 0 || v.Width != 0):
		return errors.New("lines and width are for command")
	case v.List != nil && (v.List.Event == "" || v.List.End == "" || v.List.Items < 0):
		return errors.New("a list needs event, end and items")
	}
	if v.List != nil {
		if _, err := headers(v.List.Fields); err != nil {
			return err
		}
	}
	return s.named(v.On, s.serverNames())
}

func (s *Scenario) checkFault(v *Fault) error {
	var err error
	if v.fault, err = amitest.ParseFault(v.Do); err != nil {
		return err
	}
	return s.named(v.On, s.serverNames())
}

func (s *Scenario) checkActions() error {
	names := make(map[string]bool)
	for i := range s.Actions {
		v := &s.Actions[i]
		v.Count = max(v.Count, 1)
		if v.Name == "" || names[v.Name] {
			return fmt.Errorf("action %d: its name %q is missing or used twice", i+1, v.Name)
		}
		names[v.Name] = true
		if err := s.checkAction(v); err != nil {
			return fmt.Errorf("action %q: %w", v.Name, err)
		}
	}
	return nil
}

func (s *Scenario) checkAction(v *Action) error {
	if v.Action == "" {
		return errors.New("action is missing")
	}
	if v.Via != "" && v.Via != "do" && v.Via != "try" && v.Via != "submit" {
		return fmt.Errorf("via %q is not do, try or submit", v.Via)
	}
	if v.Via == "submit" && v.Cancel > 0 {
		return errors.New("a submitted action has no caller that could cancel")
	}
	if _, err := headers(v.Fields); err != nil {
		return err
	}
	if err := s.named(v.On, s.nodeNames()); err != nil {
		return err
	}
	return v.Expect.check(v.Count * len(matching(v.On, s.nodeNames())))
}

// check wants the outcomes to account for every one of n actions, and nothing to be expected of none.
func (o *Outcomes) check(n int) error {
	low, high := 0.0, 0.0
	for _, w := range o.counts() {
		if w.isText {
			return fmt.Errorf("%s is not a number of actions", w)
		}
		low += max(w.min, 0)
		high += w.max
	}
	if float64(n) < low || float64(n) > high {
		return fmt.Errorf("the outcomes add up to %v…%v actions, and there are %d", low, high, n)
	}
	none := func(ws ...*Want) bool {
		most := 0.0
		for _, w := range ws {
			if w != nil {
				most += w.max
			}
		}
		return most == 0
	}
	failures := []*Want{o.Timeout, o.Cancelled, o.Disconnected, o.Busy, o.NotReady, o.BreakerOpen, o.Unauthorized, o.ListTooLong, o.Invalid}
	switch {
	case o.Message != nil && none(o.Refused):
		return errors.New("message is expected of refusals, and none is expected")
	case (o.Error != nil || o.Sent != nil) && none(failures...):
		return errors.New("error and sent are expected of failures, and none is expected")
	case (o.Lines != nil || len(o.Fields) > 0) && none(o.Replied, o.Refused),
		o.Items != nil && none(o.Replied, o.ListTooLong):
		return errors.New("items, lines and fields are expected of replies, and none is expected")
	}
	return nil
}

func (s *Scenario) checkSubscriptions() error {
	names := make(map[string]bool)
	for i := range s.Subscriptions {
		v := &s.Subscriptions[i]
		if v.Name == "" || names[v.Name] {
			return fmt.Errorf("subscription %d: its name %q is missing or used twice", i+1, v.Name)
		}
		names[v.Name] = true
		err := errors.Join(s.named(v.On, s.nodeNames()), known(v.Expect, subscriptionKeys()))
		if v.Where != "" {
			_, werr := ami.ParseWhere(v.Where)
			err = errors.Join(err, werr)
		}
		for _, m := range []map[string]*Want{v.Delivered, v.Lag} {
			err = errors.Join(err, known(m, matching(v.On, s.nodeNames())))
		}
		if len(v.Expect)+len(v.Delivered)+len(v.Lag) == 0 {
			err = errors.Join(err, errors.New("nothing is expected"))
		}
		if err != nil {
			return fmt.Errorf("subscription %q: %w", v.Name, err)
		}
	}
	return nil
}

// named wants a pattern to name somebody.
func (s *Scenario) named(pattern string, names []string) error {
	if len(matching(pattern, names)) == 0 {
		return fmt.Errorf("on %q names nobody of %s", pattern, strings.Join(names[:min(len(names), 8)], ", "))
	}
	return nil
}

// known wants every key to be one that is looked at.
func known(expect map[string]*Want, keys []string) error {
	for key := range expect {
		if !slices.Contains(keys, key) {
			return fmt.Errorf("nobody checks %q; there are: %s", key, strings.Join(keys, ", "))
		}
	}
	return nil
}

func matching(pattern string, names []string) (out []string) {
	for _, n := range names {
		if pattern == "" || ami.MatchGlob(pattern, n) {
			out = append(out, n)
		}
	}
	return out
}

func (s *Scenario) serverNames() (names []string) {
	for i := range s.Servers {
		names = append(names, s.Servers[i].names()...)
	}
	return names
}

func (v *Server) names() []string {
	if v.Count == 0 {
		return []string{v.Name}
	}
	names := make([]string, v.Count)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d", v.Name, i+1)
	}
	return names
}

func (s *Scenario) nodeNames() (names []string) {
	for i := range s.Servers {
		for _, server := range s.Servers[i].names() {
			names = append(names, s.Servers[i].nodes(server)...)
		}
	}
	return names
}

// nodes returns the names of the nodes that connect to one of these servers.
func (v *Server) nodes(server string) []string {
	if v.Nodes == 0 {
		return []string{server}
	}
	names := make([]string, v.Nodes)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", server, i+1)
	}
	return names
}

// headers splits "Name: value" lines.
func headers(lines []string) (fields []ami.Field, err error) {
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, fmt.Errorf("field %q is not Name: value", line)
		}
		fields = append(fields, ami.Field{Name: name, Value: value})
	}
	return fields, nil
}

// runKeys are what can be expected of the whole run.
var runKeys = []string{"took", "redials_per_second", "dials_at_once"}

func nodeKeys() []string {
	keys := append(jsonKeys(reflect.TypeFor[ami.NodeStats]()), jsonKeys(reflect.TypeFor[ami.Ledger]())...)
	return append(keys, "first_ready", "longest_away")
}

func jsonKeys(t reflect.Type) (keys []string) {
	for i := range t.NumField() {
		tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if tag != "" && tag != "-" && t.Field(i).Type.Kind() != reflect.Struct {
			keys = append(keys, tag)
		}
	}
	return keys
}

// ledgerKeys are the countable fields of a server's ledger, in snake case.
func ledgerKeys() []string { return slices.Sorted(maps.Keys(numbers(amitest.Ledger{}))) }

func subscriptionKeys() []string {
	return append(slices.Sorted(maps.Keys(numbers(ami.SubscriptionStats{}))), "overflow_gaps", "disconnect_gaps", "complete")
}

// numbers returns a struct's integer fields by their names in snake case.
func numbers(v any) map[string]any {
	m := make(map[string]any)
	rv := reflect.ValueOf(v)
	for i := range rv.NumField() {
		name := snake(rv.Type().Field(i).Name)
		switch f := rv.Field(i); f.Kind() {
		case reflect.Uint64:
			m[name] = f.Uint()
		case reflect.Int:
			m[name] = f.Int()
		}
	}
	return m
}

func snake(name string) string {
	var b strings.Builder
	before := ' '
	for _, c := range name {
		if unicode.IsUpper(c) && unicode.IsLower(before) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
		before = c
	}
	return b.String()
}

// counts returns the expected outcomes by name; what is absent is missing.
func (o *Outcomes) counts() map[string]*Want {
	m := map[string]*Want{
		"replied": o.Replied, "refused": o.Refused, "timeout": o.Timeout, "cancelled": o.Cancelled, "disconnected": o.Disconnected,
		"busy": o.Busy, "not_ready": o.NotReady, "breaker_open": o.BreakerOpen, "unauthorized": o.Unauthorized,
		"list_too_long": o.ListTooLong, "invalid": o.Invalid,
	}
	for k, w := range m {
		if w == nil {
			delete(m, k)
		}
	}
	return m
}

func (o *Outcomes) len() int {
	n := len(o.counts()) + len(o.Fields)
	for _, w := range []*Want{o.Message, o.Error, o.Sent, o.Items, o.Lines, o.Took} {
		if w != nil {
			n++
		}
	}
	return n
}
