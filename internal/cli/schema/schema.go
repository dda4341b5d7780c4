package schema

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/output"
)

const help = `Examples:
  amictl schema                                  what there is
  amictl schema event
  amictl schema error --query properties.code.enum

Prints the JSON Schema (2020-12) of an object that amictl prints. Keys may be added in a later version, never taken away
or changed.`

// options are those of schema.
type options struct{ args []string }

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := &options{}
	return r.Tell(&cli.Command{
		Name:        "schema",
		Usage:       "print the JSON Schema of what amictl prints",
		ArgsUsage:   "[NAME]",
		Description: help,
		Action: func(_ context.Context, c *cli.Command) error {
			o.args = c.Args().Slice()
			return show(r, o)
		},
	}, run.About{Config: run.ConfigMayBeBroken, Prints: true, Args: run.Words{Kind: run.OneOf, Choices: Names}})
}

// show prints the schema that is named, or the names of all.
func show(r *run.Run, o *options) error {
	if len(o.args) == 0 {
		return list(r)
	}
	name := o.args[0]
	switch {
	case len(o.args) > 1:
		return fail.Usage("`amictl schema` lists them", "schema takes one name")
	case Schemas()[name] == nil:
		return fail.Usage(fail.NearHint(name, Names(), "`amictl schema` lists them"), "there is no schema %q", name)
	}
	return printOne(r, name)
}

func list(r *run.Run) error {
	p, err := r.Printer(run.Records, false, true)
	if err != nil {
		return err
	}
	for _, name := range Names() {
		if err := p.Record(output.Record{{Key: "schema", Value: name}, {Key: "title", Value: Schemas()[name]().Title}}); err != nil {
			return err
		}
	}
	return p.Close()
}

// printOne prints a schema as the document that it is, unless another form is asked for.
func printOne(r *run.Run, name string) error {
	if r.Flags.Query == "" && (r.Flags.Output == "" || r.Flags.Output == "json") {
		_, err := r.Stdout.Write(Document(name))
		return err
	}
	p, err := r.Printer(run.Records, false, false)
	if err != nil {
		return err
	}
	var rec output.Record
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(Document(name), &keys); err != nil {
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		rec = append(rec, output.Pair{Key: k, Value: keys[k]})
	}
	if err := p.Record(rec); err != nil {
		return err
	}
	return p.Close()
}

// Names are the names of all schemas, sorted.
func Names() []string { return slices.Sorted(maps.Keys(Schemas())) }

// Document returns a schema as indented JSON.
func Document(name string) []byte {
	s := Schemas()[name]()
	s.Draft = "https://json-schema.org/draft/2020-12/schema"
	s.ID = "https://github.com/apntalk/amictl/docs/schema/" + name + ".json"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		panic(err) // a schema is our own
	}
	return b.Bytes()
}

// A schema is the part of JSON Schema that is needed here.
type schema struct {
	Draft       string   `json:"$schema,omitempty"`
	ID          string   `json:"$id,omitempty"`
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description,omitempty"`
	Type        string   `json:"type,omitempty"`
	Const       any      `json:"const,omitempty"`
	Enum        []string `json:"enum,omitempty"`
	Pattern     string   `json:"pattern,omitempty"`
	Minimum     *int     `json:"minimum,omitempty"`
	Properties  members  `json:"properties,omitempty"`
	Required    []string `json:"required,omitempty"`
	Values      *schema  `json:"additionalProperties,omitempty"` // of an object whose keys are anybody's
	Items       *schema  `json:"items,omitempty"`
}

// A member is a key of an object.
type member struct {
	key      string
	schema   *schema
	optional bool
}

// members keep the order of the keys.
type members []member

// MarshalJSON writes an object in order.
func (m members) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, p := range m {
		b.WriteByte("{,"[min(i, 1)])
		key, err := json.Marshal(p.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(p.schema)
		if err != nil {
			return nil, err
		}
		b.Write(append(append(key, ':'), value...))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// object makes the schema of an object; what is not optional is required.
func object(title, about string, keys ...member) *schema {
	s := &schema{Title: title, Description: about, Type: "object", Properties: keys}
	for _, k := range keys {
		if !k.optional {
			s.Required = append(s.Required, k.key)
		}
	}
	return s
}

func must(key string, s *schema) member { return member{key: key, schema: s} }
func may(key string, s *schema) member  { return member{key: key, schema: s, optional: true} }

func str(about string) *schema      { return &schema{Type: "string", Description: about} }
func yesNo(about string) *schema    { return &schema{Type: "boolean", Description: about} }
func decimal(about string) *schema  { return &schema{Type: "number", Description: about} }
func constant(value string) *schema { return &schema{Const: value} }

func whole(about string) *schema {
	zero := 0
	return &schema{Type: "integer", Minimum: &zero, Description: about}
}

func oneOf(about string, words ...string) *schema {
	return &schema{Type: "string", Enum: words, Description: about}
}

func listOf(items *schema, about string) *schema {
	return &schema{Type: "array", Items: items, Description: about}
}

func mapOf(values *schema, about string) *schema {
	return &schema{Type: "object", Values: values, Description: about}
}

// codes are the words that an error's code may be.
func codes() []string {
	var all []string
	for c := range fail.ExitOf {
		all = append(all, string(c))
	}
	slices.Sort(all)
	return all
}

func when(about string) *schema {
	return &schema{Type: "string", Pattern: `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`, Description: strings.TrimSpace(about + " UTC, six decimals.")}
}
