package amitest

import (
	"maps"
	"slices"
	"strings"
)

// dbActions are those of db.c, AstDB.
var dbActions = []action{
	{name: "DBGet", run: dbGet},
	{name: "DBPut", run: dbPut},
	{name: "DBDel", run: dbDel},
	{name: "DBDelTree", run: dbDelTree},
	{name: "DBGetTree", run: dbGetTree, since: 16},
}

// dbName reads Family and Key; ok is false once a refusal was written. DBPut
// spells its refusals without the full stop.
func dbName(r *Request, w *ResponseWriter, stop string) (family, key string, ok bool) {
	family, key = r.Get("Family"), r.Get("Key")
	switch {
	case family == "":
		w.Error("No family specified" + stop)
	case key == "":
		w.Error("No key specified" + stop)
	default:
		return family, key, true
	}
	return "", "", false
}

func (st *State) dbGet(family, key string) (string, bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	v, ok := st.db["/"+family+"/"+key]
	return v, ok
}

func dbGet(r *Request, w *ResponseWriter) {
	family, key, ok := dbName(r, w, ".")
	if !ok {
		return
	}
	v, ok := w.sess.srv.state.dbGet(family, key)
	if !ok {
		w.Error("Database entry not found")
		return
	}
	w.ListStart("Result will follow")
	w.itemTail("DBGetResponse", []Header{{"Family", family}, {"Key", key}, {"Val", v}})
	w.ListEnd("DBGetComplete")
}

func dbPut(r *Request, w *ResponseWriter) {
	family, key, ok := dbName(r, w, "")
	if !ok {
		return
	}
	w.sess.srv.state.DBPut(family, key, r.Get("Val"))
	w.Ack("Updated database successfully")
}

func dbDel(r *Request, w *ResponseWriter) {
	family, key, ok := dbName(r, w, ".")
	if !ok {
		return
	}
	st := &w.sess.srv.state
	st.mu.Lock()
	name := "/" + family + "/" + key
	_, ok = st.db[name]
	delete(st.db, name)
	st.mu.Unlock()
	if !ok {
		w.Error("Database entry could not be deleted")
		return
	}
	w.Ack("Key deleted successfully")
}

// tree returns the names under a family and key prefix, sorted; mu is held.
func (st *State) tree(family, key string) []string {
	prefix := ""
	if family != "" {
		prefix = "/" + family
	}
	if key != "" {
		prefix += "/" + key
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(st.db)), func(name string) bool {
		return name != prefix && !strings.HasPrefix(name, prefix+"/")
	})
}

func dbDelTree(r *Request, w *ResponseWriter) {
	if r.Get("Family") == "" {
		w.Error("No family specified.")
		return
	}
	st := &w.sess.srv.state
	st.mu.Lock()
	names := st.tree(r.Get("Family"), r.Get("Key"))
	for _, n := range names {
		delete(st.db, n)
	}
	st.mu.Unlock()
	if len(names) == 0 {
		w.Error("Database entry not found")
		return
	}
	w.Ack("Key tree deleted successfully")
}

func dbGetTree(r *Request, w *ResponseWriter) {
	w.ListStart("Result will follow")
	st := &w.sess.srv.state
	st.mu.Lock()
	var entries []Header
	for _, n := range st.tree(r.Get("Family"), r.Get("Key")) {
		entries = append(entries, Header{n, st.db[n]})
	}
	st.mu.Unlock()
	for _, e := range entries {
		w.itemTail("DBGetTreeResponse", []Header{{"Key", e.Name}, {"Val", e.Value}})
	}
	if w.sess.srv.cfg.version.Major < 18 {
		// 16 counts its one result, not its items [live].
		w.items = 1
	}
	w.ListEnd("DBGetTreeComplete")
}
