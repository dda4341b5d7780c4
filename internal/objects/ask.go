package objects

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// A condition may ask for the keys of an object's JSON, and for what follows from them: how many a list has, times in seconds, and
// how long a thing has been there.

// duration is the key for how long that is; of a member, how long it has been paused.
const duration = "duration"

// stamp is how times are written in JSON.
const stamp = "2006-01-02T15:04:05.000000Z"

// Began is when a thing began, or a member's pause; zero if that is not known, or not so.
func (p *Part) Began(r output.Record) time.Time {
	if p.Kind == state.KindMember && valueOf(r, "paused") != true {
		return time.Time{}
	}
	at, _ := valueOf(r, p.began).(time.Time)
	return at
}

// Ages reports whether Began may be known of the part's things.
func (p *Part) Ages() bool { return p.began != "" }

// valueOf is the value of a key, nil if there is none.
func valueOf(r output.Record, key string) any {
	for i := range r {
		if r[i].Key == key {
			return r[i].Value
		}
	}
	return nil
}

// TextOf is the value of a key that is text, "" if there is none.
func TextOf(r output.Record, key string) string {
	text, _ := valueOf(r, key).(string)
	return text
}

// Fields are what a condition may ask for of an object, as [ami.Where.MatchFields] wants it: the keys and their values as text, and
// what follows from them at a moment.
func (p *Part) Fields(r output.Record, at time.Time) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if p.Ages() && !yield("."+duration, p.age(r, at)) {
			return
		}
		columns := p.all() // in the order of the record
		for i := range r {
			if len(columns) > 0 && columns[0].key == r[i].Key {
				if !p.follows(&columns[0], r[i].Value, yield) {
					return
				}
				columns = columns[1:]
			}
			if !fieldsOf(r[i].Key, r[i].Value, yield) {
				return
			}
		}
	}
}

// age is how long a thing has been there, in seconds; "" if that is not known.
func (p *Part) age(r output.Record, at time.Time) string {
	began := p.Began(r)
	if began.IsZero() {
		return ""
	}
	if end, over := valueOf(r, "end").(time.Time); over { // of a call that has ended
		at = end
	}
	return seconds(max(0, at.Sub(began)).Truncate(time.Second))
}

// follows tells what follows from one key. A number or a flag that JSON leaves out is 0 or false, and anything else is empty.
func (p *Part) follows(c *column, value any, yield func(string, string) bool) bool {
	switch c.form {
	case list, listOfObjects:
		n := length(value)
		return yield("#"+c.key, strconv.Itoa(n)) && (n > 0 || empty(c.keys(), yield))
	case number:
		us, _ := value.(int64)
		if inSeconds := p.inSeconds(c); inSeconds != "" && !yield("."+inSeconds, seconds(time.Duration(us)*time.Microsecond)) {
			return false
		}
		return value != nil || yield("."+c.key, "0")
	case flag:
		return value != nil || yield("."+c.key, "false")
	case object:
		lacks := c.keys()
		if of, ok := value.(output.Record); ok {
			lacks = slices.DeleteFunc(lacks, func(key string) bool { return valueOf(of, strings.TrimPrefix(key, c.key+".")) != nil })
		}
		return empty(lacks, yield)
	}
	return value != nil || empty(c.keys(), yield)
}

// empty says that nothing is there under some keys.
func empty(keys []string, yield func(string, string) bool) bool {
	for _, key := range keys {
		if !yield("."+key, "") {
			return false
		}
	}
	return true
}

func length(value any) int {
	switch v := value.(type) {
	case []string:
		return len(v)
	case []output.Record:
		return len(v)
	}
	return 0
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// inSeconds is the key under which a condition asks for a number of microseconds in seconds, "" if there is none: wait for wait_us.
func (p *Part) inSeconds(c *column) string {
	name, us := strings.CutSuffix(c.key, "_us")
	if !us || p.column(name) != nil {
		return ""
	}
	return name
}

// fieldsOf yields a value as JSON has it.
func fieldsOf(key string, value any, yield func(string, string) bool) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return yield(key, v)
	case time.Time:
		return yield(key, v.UTC().Format(stamp))
	case []string:
		for _, s := range v {
			if !yield(key, s) {
				return false
			}
		}
		return true
	case map[string]string:
		for name, s := range v {
			if !yield(key+"."+name, s) {
				return false
			}
		}
		return true
	case output.Record:
		for i := range v {
			if !fieldsOf(key+"."+v[i].Key, v[i].Value, yield) {
				return false
			}
		}
		return true
	case []output.Record:
		for _, r := range v {
			if !fieldsOf(key, r, yield) {
				return false
			}
		}
		return true
	}
	return yield(key, fmt.Sprint(value))
}

// Keys are those that a condition may ask for.
func (p *Part) Keys() (keys []string) {
	for i := range p.all() {
		c := &p.all()[i]
		keys = append(keys, c.keys()...)
		if c.form == listOfObjects {
			keys = append(keys, c.key)
		}
		if name := p.inSeconds(c); name != "" {
			keys = append(keys, name)
		}
	}
	if p.Ages() {
		keys = append(keys, duration)
	}
	return keys
}

// column returns the column of a key, nil if there is none.
func (p *Part) column(key string) *column {
	all := p.all()
	if at := slices.IndexFunc(all, func(c column) bool { return c.key == key }); at >= 0 {
		return &all[at]
	}
	return nil
}
