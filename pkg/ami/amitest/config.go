package amitest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// configActions are those that read configuration files.
var configActions = []action{
	{name: "GetConfig", run: getConfig},
	{name: "GetConfigJSON", run: getConfigJSON},
	{name: "ListCategories", run: listCategories},
	{name: "UpdateConfig", run: func(r *Request, w *ResponseWriter) {
		if r.Get("SrcFilename") == "" {
			w.Error("Filename not specified")
			return
		}
		w.Error("Config file not found")
	}},
	{name: "CreateConfig", run: func(r *Request, w *ResponseWriter) {
		if r.Get("Filename") == "" {
			w.Error("Filename not specified")
			return
		}
		w.sess.srv.state.SetConfig(r.Get("Filename"))
		w.Ack("New configuration file created successfully")
	}},
}

// configFile finds the file that an action names, or refuses.
func configFile(r *Request, w *ResponseWriter) ([]ConfigCategory, bool) {
	file := r.Get("Filename")
	if file == "" {
		w.Error("Filename not specified")
		return nil, false
	}
	st := &w.sess.srv.state
	st.mu.Lock()
	categories, ok := st.configs[file]
	st.mu.Unlock()
	if !ok {
		w.Error("Config file not found")
	}
	return categories, ok
}

func getConfig(r *Request, w *ResponseWriter) {
	categories, ok := configFile(r, w)
	if !ok {
		return
	}
	want := r.Get("Category")
	w.head("Success")
	b := w.sess.batch.b
	n := 0
	for _, c := range categories {
		if want != "" && !strings.EqualFold(want, c.Name) {
			continue
		}
		b = appendHeader(b, fmt.Sprintf("Category-%06d", n), c.Name)
		for i, l := range c.Lines {
			b = appendHeader(b, fmt.Sprintf("Line-%06d-%06d", n, i), l.Name+"="+l.Value)
		}
		n++
	}
	if n == 0 {
		b = append(b, "No categories found\r\n"...) // a line without a colon [live]
	}
	w.sess.batch.b = append(b, '\r', '\n')
	w.sess.batch.close(markReply)
}

func getConfigJSON(r *Request, w *ResponseWriter) {
	categories, ok := configFile(r, w)
	if !ok {
		return
	}
	var b strings.Builder
	b.WriteByte('{')
	for i, c := range categories {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(c.Name) + ":{")
		for j, l := range c.Lines {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quote(l.Name) + ":" + quote(l.Value)) // repeated keys are written as they are [live]
		}
		b.WriteByte('}')
	}
	b.WriteByte('}')
	w.Reply("Success", Header{"JSON", b.String()})
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}

func listCategories(r *Request, w *ResponseWriter) {
	categories, ok := configFile(r, w)
	if !ok {
		return
	}
	var hs []Header
	for i, c := range categories {
		hs = append(hs, Header{fmt.Sprintf("Category-%06d", i), c.Name})
	}
	if len(hs) == 0 {
		w.Error("Error: no categories found.")
		return
	}
	w.Reply("Success", hs...)
}
