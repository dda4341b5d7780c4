package query

import (
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// channels is a reply as amictl prints it.
const channels = `{"type":"reply","node":"pbx1","rtt_us":812,"items":5,"fields":{"Message":"x"},"events":[
	{"event":"Channel","fields":{"Channel":"PJSIP/1","Seconds":"2","Duration":"00:00:02","Bytes":"9007199254740993","Loss":"0.5","a,b":"7","Exten":"100"},"n":1},
	{"event":"Channel","fields":{"Channel":"PJSIP/2","Seconds":"100","Duration":"00:01:40","Bytes":"9007199254740992","Loss":"-0.25","a,b":"70","tags":["5","60"]},"n":20},
	{"event":"Channel","fields":{"Channel":"PJSIP/3","Seconds":"1000","Duration":"100:00:00","Loss":"10","tags":["x","7"],"multi":{"Delay":["1","20","300"]}},"n":3},
	{"event":"Channel","fields":{"Channel":"PJSIP/4","Seconds":"","Duration":"n/a","Loss":"none","flag":true,"none":null},"n":4.5},
	{"event":"Channel","fields":{"Channel":"PJSIP/5"},"n":5}]}`

// gets are paths, and what each finds in channels; "" is nothing.
var gets = []struct{ path, want string }{
	// an order against a number is one of numbers
	{"events.#(fields.Seconds>100)#.fields.Channel", `["PJSIP/3"]`},
	{"events.#(fields.Seconds>=100)#.fields.Channel", `["PJSIP/2","PJSIP/3"]`},
	{"events.#(fields.Seconds<100)#.fields.Channel", `["PJSIP/1"]`},
	{"events.#(fields.Seconds<=100)#.fields.Channel", `["PJSIP/1","PJSIP/2"]`},
	{`events.#(fields.Seconds>"100")#.fields.Channel`, `["PJSIP/3"]`},
	{"events.#( fields.Seconds > 100 )#.fields.Channel", `["PJSIP/3"]`},
	{"events.#[fields.Seconds>100]#.fields.Channel", `["PJSIP/3"]`},
	{"events.#(fields.Seconds>1e2)#.fields.Channel", `["PJSIP/3"]`},
	{"events.#(fields.Seconds>99.5)#.fields.Channel", `["PJSIP/2","PJSIP/3"]`},
	{"events.#(fields.Seconds>100).fields.Channel", "PJSIP/3"},
	{"events.#(fields.Seconds>1).fields.Channel", "PJSIP/1"},
	{"events.#(fields.Seconds>5000)#", "[]"},
	{"events.#(fields.Seconds>5000)#|#", "0"},
	{"events.#(fields.Seconds>5).n", "20"},
	{"events|#(fields.Seconds>100)#|#", "1"},
	{"events.#(fields.Seconds>1)#|1.fields.Channel", "PJSIP/2"},
	{"events.#(fields.Seconds>1)#|@reverse|0.fields.Channel", "PJSIP/3"},
	{"events.#(fields.Seconds>1)#|#(fields.Loss<0)#.fields.Channel", `["PJSIP/2"]`},
	{"events.#(fields.Bytes>9007199254740992)#.n", "[1]"}, // over a float64
	{"events.#(fields.Loss<0)#.n", "[20]"},
	{"events.#(fields.Loss<-0.1)#.n", "[20]"},
	{"events.#(fields.Loss>5)#.n", "[3]"},
	{"events.#(n>4)#.n", "[20,4.5,5]"},
	{"events.#(n>=4.5)#.n", "[20,4.5,5]"},
	{`events.#(fields.a\,b>8)#.n`, "[20]"},
	{"events.#(fields.a,b>8)#.n", "[20]"},
	{"events.#(fields.flag>0)#", "[]"},
	{"events.#(fields.none<1)#", "[]"},
	{"events.#(fields.tags.#>1)#.n", "[20,3]"},
	{"events.#(fields>1)#", "[]"},
	// times
	{"events.#(fields.Duration>60)#.n", "[20,3]"},
	{"events.#(fields.Duration>1m40s)#.n", "[3]"},
	{"events.#(fields.Duration>=00:01:40)#.n", "[20,3]"},
	{`events.#(fields.Duration<"00:01:40")#.n`, "[1]"},
	{"events.#(fields.Seconds<1m)#.n", "[1]"},
	// members that are no objects
	{"events.#.fields.Seconds|#(>99)#", `["100","1000"]`},
	{"events.#.fields.Seconds|#(>99)", "100"},
	{"events.#.n|#(>4)#", "[20,4.5,5]"},
	{"events.1.fields.tags.#(>9)#", `["60"]`},
	{"events.2.fields.tags.#(>1)", "7"},
	{"events.#.fields.tags.#(>9)#", `[["60"],[]]`},
	{"events.2.fields.multi.Delay.#(>9)#|#", "2"},
	{"events.#(fields.tags.#(>9))#.n", "[20]"},
	{"events.#(fields.multi.Delay.#(>=300))#.n", "[3]"},
	{"events.#(fields.Channel%\"*3\")#.fields.multi.Delay.#(>9)#", `[["20","300"]]`},
	{"events.#(fields.Seconds>100)#.{c:fields.Channel,\"s\":fields.Seconds}", `[{"c":"PJSIP/3","s":"1000"}]`},
	{"events.#(fields.Seconds>1)#|[#,0.n,9.n]", "[3,1,null]"},
	{"{long:events.#(fields.Duration>1m)#|#,all:events.#}", `{"long":2,"all":5}`},
	// what is text stays text
	{`events.#(fields.Channel>"PJSIP/3")#.n`, "[4.5,5]"},
	{`events.#(fields.Seconds=="100")#.n`, "[20]"},
	{"events.#(fields.Seconds==100)#.n", "[20]"},
	{`events.#(fields.Seconds!="100")#.n`, "[1,3,4.5]"},
	{`events.#(fields.Channel%"*2")#.n`, "[20]"},
	{"events.#(fields.flag==true)#.n", "[4.5]"},
	{"events.#(fields.flag==~true)#.n", "[4.5]"},
	{"events.#(fields.tags)#.n", "[20,3]"},
	// columns stay where they are
	{"[node,fields.Nope,items]", `["pbx1",null,5]`},
	{"[nope]", "[null]"},
	{"[fields.Nope.Deeper,nope.#,events.9.n,node]", `[null,null,null,"pbx1"]`},
	{"[node,[fields.Nope,items],nope]", `["pbx1",[null,5],null]`},
	{"[node,nope].1", "null"},
	{"[node,nope]|0", "pbx1"},
	{"[node,nope]|#", "2"},
	{"[events.#(fields.Seconds>100)#.n,nope]", "[[3],null]"},
	{"[events.#(fields.Seconds>5000).n,node]", `[null,"pbx1"]`},
	{"events.#.[fields.Seconds,fields.Exten]", `[["2","100"],["100",null],["1000",null],["",null],[null,null]]`},
	{"events.#(fields.Seconds>1)#.[fields.Seconds,fields.Exten]", `[["2","100"],["100",null],["1000",null]]`},
	{"events.0.[fields.Exten,fields.Nope]", `["100",null]`},
	{"events.#(fields.Seconds>100).[n,x]", "[3,null]"},
	{`[node,!"lit",nope,!null]`, `["pbx1","lit",null,null]`},
	{`[fields.@this,nope,events.@pretty:{"width":1}|#]`, `[{"Message":"x"},null,5]`},
	{`[a:node,"b":nope,c:items]`, `["pbx1",null,5]`},
	{"[node,events.#.[n,x]|0,@this.nope]", `["pbx1",[1,null],null]`},
	// an object of several paths has names
	{"{node,nope,items}", `{"node":"pbx1","items":5}`},
	{`{node,"long":events.#(fields.Seconds>100)#.n}`, `{"node":"pbx1","long":[3]}`},
	{"{node,events.#(fields.Seconds>100)#.n}", `{"node":"pbx1","n":[3]}`},
	{"{events.#(fields.Seconds>100)#}.node", ""},
	{`{x:[node,nope]}`, `{"x":["pbx1",null]}`},
	{`{[node,nope]}`, `{"_":["pbx1",null]}`},
	{"events.#.{n,fields.Exten}|1", `{"n":20}`},
	{"[{a:nope},{b:node}]", `[{},{"b":"pbx1"}]`},
	// plain paths
	{"node", "pbx1"},
	{"rtt_us", "812"},
	{"events.1.fields.Channel", "PJSIP/2"},
	{"events.#", "5"},
	{"events.@reverse.0.n", "5"},
	{"f*.Message", "x"},
	{"nope", ""},
	{"..0.node", "pbx1"},
	{"..#(items>4).node", "pbx1"},
}

func TestGet(t *testing.T) {
	for _, tt := range gets {
		if got, ok := Compile(tt.path).Get([]byte(channels)); got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: %s, want %s (as %s)", tt.path, got, tt.want, Compile(tt.path).text)
		}
	}
	if _, ok := Compile("nope").Get([]byte(channels)); ok {
		t.Error("what is not there was found")
	}
	if got, ok := Compile("[nope]").Get([]byte(channels)); !ok || got != "[null]" {
		t.Errorf("%q, %v", got, ok)
	}
}

var quotedNumber = regexp.MustCompile(`"(-?[0-9.]+)"`)

// On numbers gjson compares numbers: a path finds the same in text as gjson alone does where the text is a number.
func TestGetLikeGJSON(t *testing.T) {
	text := strings.NewReplacer(`"Seconds":"",`, "", `"Loss":"none",`, "", `"x",`, `"0",`).Replace(channels) // else gjson compares text
	numbers := quotedNumber.ReplaceAllString(text, "$1")
	for _, path := range []string{"events", "events.#.fields", "events.#.fields.tags", "events.2.fields.multi.Delay", "@this", "nope"} {
		for _, part := range []string{"#(fields.Seconds", "#(Seconds", "#(fields.Loss", "#(fields.tags.#", "#(n", "#(", "#(fields.multi.Delay.1"} {
			for _, compared := range []string{">100", "< 100", "<=100", ">= 2", `>"2"`, ">-1", "<0", "", "!=2", "==100", ">0.25", ">9007199254740990"} {
				for _, end := range []string{")", ")#", ").n", ")#.n", ")#|0", ")#|#", ")#.fields.Seconds", ")#|@reverse"} {
					for _, sep := range []string{".", "|"} {
						path := path + sep + part + compared + end
						want := gjson.Get(numbers, path).Raw
						got, _ := Compile(path).Get([]byte(text))
						got, want = quotedNumber.ReplaceAllString(got, "$1"), strings.Trim(quotedNumber.ReplaceAllString(want, "$1"), `"`)
						if got != want {
							t.Errorf("%s: %s, want %s (as %s)", path, got, want, Compile(path).text)
						}
					}
				}
			}
		}
	}
}

// What needs nothing of ours stays as it is, whatever it is, and nothing panics.
func FuzzCompile(f *testing.F) {
	for _, path := range []string{
		"events.#(fields.Seconds>100)#", `events.#( fields.Seconds == "1" )#`, "[a,b|c,{d:e}]", `@pretty:{"a":[1]}|x`, `!"x".y`, "a\\.b.#(x.#(>1)#)#", "..#.a", "#(", "[", "{a", "[a]b", `#("`, "@x:", "!", `[!5,"a":b]`, "#(a>\"1\\\"\")",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p := Compile(path)
		_, _ = p.Get([]byte(channels))
		if !strings.ContainsAny(path, "[<>") && p.text != path {
			t.Fatalf("%q became %q", path, p.text)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	for name, path := range map[string]string{"field": "events.1.fields.Channel", "order": "events.#(fields.Seconds>100)#.n", "columns": "[node,nope,items]"} {
		b.Run(name, func(b *testing.B) {
			p, object := Compile(path), []byte(channels)
			b.ReportAllocs()
			for b.Loop() {
				p.Get(object)
			}
		})
	}
}
