package dial

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// What a list may look like, and what becomes of it.
func TestReadList(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string // of each row
	}{
		"CSV":                 {"number,name\n100,Ann\n200,\"Bob, \"\"the\"\" builder\"\n", []string{"100|Ann", `200|Bob, "the" builder`}},
		"from a spreadsheet":  {"\xef\xbb\xbfname;x,number\r\nAnn, 100 \r\n", []string{"Ann|100"}},
		"an end without line": {"number\n100\n\n200", []string{"100", "200"}},
		"a number twice":      {"number,name\n100,Ann\n200,Bob\n 100,Cem\n", []string{"100|Ann", "200|Bob"}},
		"a line break unused": {"number,note\n100,\"a\nb\"\n", []string{"100|a\nb"}},
		"a header alone":      {"number,name\n", nil},
		"JSON lines":          {`{"number":100,"name":"Ann"}` + "\n\n" + `{"name":"Bob","number":"+49 30"}`, []string{"100|Ann", "+49 30|Bob"}},
		"JSON with space":     {"\n  {\"number\":\"1\"}", []string{"1"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Stdin: test.text})
			l, err := readList(r.Run, "-")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, row := range l.rows {
				got = append(got, strings.Join(row.values, "|"))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// A list that is wrong is refused before anything is sent, with the place.
func TestDialRefusesLists(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	for name, test := range map[string]struct{ text, want string }{
		"nothing":                   {"", "standard input is empty"},
		"no number":                 {"name,phone\nAnn,100\n", "line 1, column 1: no column is called number"},
		"other separators":          {"number;name\n100;Ann\n", "line 1, column 1: no column is called number"},
		"a column twice":            {"number,name,name\n", `line 1, column 13: two columns are called "name"`},
		"a column without a name":   {"number,,name\n", "line 1, column 8: a column without a name"},
		"too few values":            {"number,name\n100,Ann\n200\n", "line 3, column 1: the line has 1 value, and the header names 2 columns"},
		"too many values":           {"number,name\n100,Ann,x\n", "line 2, column 5: the line has 3 values, and the header names 2 columns"},
		"a quote in the middle":     {"number,name\n100,A\"nn\n", "line 2, column 6: bare \""},
		"a quote without end":       {"number,name\n100,\"Ann\n200,Bob\n", "line 3, column 9: extraneous or missing \""},
		"an empty number":           {"name,number\nAnn,\n", "line 2, column 5: the number is empty"},
		"a control character":       {"number,name\n100,Ann\n2\x1b00,Bob\n", `line 3, column 1: the number has the control character '\x1b'`},
		"a tab in a number":         {"number,name\n1\t00,Ann\n", "line 2, column 1: the number has the control character"},
		"a line break in a value":   {"number,name\n100,\"A\r\nAction: Logoff\"\n", `line 2, column 5: the column name has the character`},
		"a NUL in a value":          {"number,name\n100,A\x00\n", `line 2, column 5: the column name has the character '\x00'`},
		"a value that is too long":  {"number,name\n100,Ann\n200," + strings.Repeat("x", 2000) + "\n", "line 3, column 1: Originate"},
		"no such column":            {"number,nam\n100,Ann\n", `has no column "name"`},
		"JSON that is none":         {`{"number":"100","name":"a"}` + "\n{\"number\":", "line 2, column 1: it is not a JSON object"},
		"JSON without the number":   {`{"name":"100"}`, `line 1, column 1: there is no key "number"`},
		"JSON without a key":        {`{"number":"100","name":"a"}` + "\n" + `{"number":"200"}`, `line 2, column 1: there is no key "name"`},
		"JSON with another key":     {`{"number":"100","name":"a"}` + "\n" + `{"number":"200","nam":"a"}`, `line 2, column 23: the key "nam" is not in the lines before`},
		"JSON with a list":          {`{"number":["100"],"name":"a"}`, `line 1, column 11: "number" is neither a string nor a number`},
		"JSON with null":            {`{"number":"1","name":null}`, `line 1, column 22: "name" is neither a string nor a number`},
		"JSON with a key twice":     {`{"number":"1","name":"a","number":"2"}`, `line 1, column 35: the key "number" repeats`},
		"JSON with an escaped line": {`{"number":"1","name":"a\r\nAction: Logoff"}`, `line 1, column 22: the column name has the character`},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: test.text})
			o := newOptions()
			o.file, o.Channel, o.Exten, o.Vars = "-", "Local/{number}@default", "200", flags.List{"NAME={name}"}
			o.out = filepath.Join(t.TempDir(), "out.csv")
			err := dial(t.Context(), r.Run, o)
			runtest.Refused(t, err, fail.CodeInput, test.want)
			if fail.Classify(err).Hint == "" {
				t.Error("it does not say what to do")
			}
			if _, err := os.Stat(o.out); err == nil {
				t.Error("there is a journal")
			}
		})
	}
	if n := srv.Ledger().Accepted; n != 0 {
		t.Errorf("the server was dialled %d times", n)
	}
}

// Flags that cannot be meant are refused, too.
func TestDialRefuses(t *testing.T) {
	servers := []*amitest.Server{runtest.Server(t, "pbx1"), runtest.Server(t, "pbx2")}
	for name, test := range map[string]struct {
		config string
		change func(o *options)
		code   fail.Code
		want   string
	}{
		"no file":           {"", func(o *options) { o.file = "" }, fail.CodeUsage, "the list's file is missing"},
		"no such file":      {"", func(o *options) { o.file = "nosuch.csv" }, fail.CodeUsage, "nosuch.csv"},
		"no channel":        {"", func(o *options) { o.Channel = "" }, fail.CodeUsage, "--channel is missing"},
		"every call alike":  {"", func(o *options) { o.Channel = "Local/100@default" }, fail.CodeUsage, "no value names a column"},
		"an open brace":     {"", func(o *options) { o.CallerID = "{number" }, fail.CodeUsage, "has no }"},
		"no KEY=VALUE":      {"", func(o *options) { o.Vars = flags.List{"{number}"} }, fail.CodeUsage, "is not KEY=VALUE"},
		"two servers":       {"", func(o *options) { o.Route = "" }, fail.CodeUsage, "2 nodes are selected"},
		"all of them":       {"", func(o *options) { o.Route, o.All = "", true }, fail.CodeUsage, "--all"},
		"protected":         {"protect = true", func(*options) {}, fail.CodeUsage, "is protected"},
		"a folder":          {"", func(o *options) { o.out = t.TempDir() }, fail.CodeUsage, "--out"},
		"no folder":         {"", func(o *options) { o.out = "/nosuch/out.csv" }, fail.CodeUsage, "--out"},
		"standard output":   {"", func(o *options) { o.out = "-" }, fail.CodeUsage, "--out is a journal"},
		"its ChannelId":     {"", func(o *options) { o.fields = []string{"channelid=a"} }, fail.CodeUsage, "ChannelId is dial's own"},
		"its Timeout":       {"", func(o *options) { o.fields = []string{"Timeout@=nosuch"} }, fail.CodeUsage, "Timeout is dial's own"},
		"its Async":         {"", func(o *options) { o.fields = []string{"Async=false"} }, fail.CodeUsage, "Async is dial's own"},
		"too many headers":  {"", func(o *options) { o.Vars = slices.Repeat(flags.List{"A=1"}, 120) }, fail.CodeInput, "129 headers"},
		"numbers not there": {"", func(o *options) { o.skip = "/nosuch" }, fail.CodeUsage, "--skip"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: servers, Config: test.config, Stdin: "number\n100\n200\n"})
			o := newOptions()
			o.file, o.Channel, o.Exten, o.Route = "-", "Local/{number}@default", "200", "failover"
			test.change(o)
			runtest.Refused(t, dial(t.Context(), r.Run, o), test.code, test.want)
		})
	}
	for _, srv := range servers {
		if n := srv.Ledger().Accepted; n != 0 {
			t.Errorf("%s was dialled %d times", srv.Name(), n)
		}
	}
}

// --skip takes a list, the results of another run, and plain text.
func TestReadNumbers(t *testing.T) {
	for name, text := range map[string]string{
		"plain":   "100\r\n\n 200 \n300",
		"CSV":     "name,number\nAnn,100\nBob,200\nCem,300\n",
		"JSON":    `{"number":"100"}` + "\n" + `{"number":200}` + "\n" + `{"number":"300"}`,
		"results": `{"type":"dialed","number":"100","cause":"16","talk_us":5}` + "\n" + `{"type":"dialed","number":"200"}` + "\n" + `{"number":"300","message":"no"}`,
		"journal": strings.Join(journalHeader, ",") + "\n2026-11-28T06:47:25.787531Z,100,calling,1,a,b,,,,\n2026-11-28T06:47:25.787531Z,200,final,1,a,b,busy,,,\n2026-11-28T06:47:25.787531Z,300,final,1,a,b,busy,,,\n",
	} {
		r := runtest.New(t, runtest.Setup{Stdin: text})
		got, err := readNumbers(r.Run, "-")
		if diff := cmp.Diff(map[string]bool{"100": true, "200": true, "300": true}, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// A file in which no number would be found is refused: all of them would be called.
func TestReadNumbersRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"id;number\n1;100\n":               "line 1, column 3",
		"100\n  200,Bob\n":                 "line 2, column 6",
		"phone\tname\n":                    "line 1, column 6",
		"\"100\"\n":                        "line 1, column 1",
		"number;name\n100;Ann\n":           "line 1, column 7",
		"number name\n100 Ann\n":           "no column is called number",
		"{\"number\":\"1\"}\n{\"nr\":2}":   "line 2, column 1",
		"{\"number\":\"1\"}\n{\"number\":": "line 2, column 1",
		"{\"number\":null}":                "line 1, column 1",
	} {
		r := runtest.New(t, runtest.Setup{Stdin: text})
		got, err := readNumbers(r.Run, "-")
		if f := fail.Classify(err); f.Code != fail.CodeInput || !strings.Contains(f.Message, want) {
			t.Errorf("%q: %v, %v; want a refusal with %q", text, got, err, want)
		}
	}
}
