package web

import (
	"embed"
	"net/http"
	"path"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// pagePolicy lets the page load its own files and ask this door, and nothing else.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'none'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// pageTypes are the media types of its files.
var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
}

// page answers with a file of the wall board's page. The page itself is for everybody: it holds nothing, and asks as its user.
func (d *door) page(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/board/")
	if r.URL.Path == "/" {
		name = "index.html"
	}
	text, err := pageFiles.ReadFile("page/" + name)
	if err != nil {
		notFound("docs/serve.md lists what there is", "there is nothing at %.200q", r.URL.Path).write(w, r)
		return
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Content-Type", pageTypes[path.Ext(name)])
	_, _ = w.Write(text) //nolint:gosec // it is a file of our own
}
