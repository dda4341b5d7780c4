package output

import (
	"bytes"
	"io"

	"github.com/apntalk/amictl/internal/query"
	"github.com/apntalk/amictl/pkg/ami"
)

// A Format is how objects are written.
type Format uint8

const (
	JSONLines    Format = iota // one object a line
	JSONDocument               // one object, or an array of them
	TableText                  // for people
	CSV                        // the fields asked for
	Raw                        // the server's bytes
	None                       // nothing
)

// String returns the name that the command line uses.
func (f Format) String() string {
	return [...]string{"jsonl", "json", "table", "csv", "raw", "none"}[f]
}

// Options of a Printer. In a Query <, <=, > and >= against a number or a time compare quantities, although fields are text,
// and [a,b] has null for a missing value.
type Options struct {
	Format   Format
	Fields   []string // columns of CSV and tables; headers to keep in the other formats
	Query    string   // if not empty: a gjson path evaluated on each object instead of Format
	Terminal bool     // the writer is a terminal: nothing reaches it that could command it
	Width    int      // of the terminal, in columns; 0: no limit
	Wide     bool     // tables are as wide as it takes, whatever the terminal
	Color    bool
	Palette  bool // the terminal has 256 colours
	Nodes    bool // objects come from several nodes: name them
	Many     bool // a JSON document is an array even if it holds one object
	Gather   bool // the replies are several nodes' to one action: one table holds them all
}

// tableWidth is how wide a table may be, 0: as it likes.
func (o *Options) tableWidth() int {
	if o.Wide {
		return 0
	}
	return o.Width
}

// flushAt is the buffered size from which a Printer writes.
const flushAt = 64 << 10

// A Printer writes objects in one format. It buffers: call Flush when nothing more is at hand, and Close at the end.
// It is not safe for concurrent use. Its error is the writer's, and is returned by every later call.
type Printer struct {
	w    io.Writer
	o    Options
	json JSON
	doc  JSON // the same for the elements of a document

	query query.Path // of o.Query
	buf   []byte
	one   []byte // the object being made, where it is not written as it is
	err   error

	objects int      // in the JSON document so far
	pending []byte   // its first object, while it may be the only one
	left    []string // columns that did not fit
	lines   *liner   // of events
	stream  stream   // the same with Fields
	sheets  sheets   // what Close prints, as tables or CSV
	title   string   // of the next records
	spaced  bool     // a reply's tables stand above: the next reply keeps away from them
	begun   bool     // a table keeps away from what stands above
	headed  bool     // the CSV header was written
	filled  []bool   // the columns of Fields that have held something
	rows    int      // in which they could
}

// NewPrinter returns a printer that writes to w.
func NewPrinter(w io.Writer, o Options) *Printer {
	p := &Printer{w: w, o: o, json: JSON{Fields: o.Fields, stamp: new(stamp), names: new(names)}}
	p.lines = newLiner(&p.o)
	if o.Format == JSONDocument {
		p.doc = JSON{Fields: o.Fields, stamp: new(stamp), names: new(names), spread: true}
	}
	if o.Query != "" {
		p.o.Format = JSONLines
		p.query = query.Compile(o.Query)
		p.json.Fields = nil
	}
	return p
}

// Options returns what the printer was made with.
func (p *Printer) Options() Options { return p.o }

// Left returns the names of table columns that were left out because they did not fit.
func (p *Printer) Left() []string { return p.left }

// Empty returns those of Fields that held nothing in any row of tables or CSV: such a field may not exist.
func (p *Printer) Empty() (names []string) {
	if p.rows == 0 {
		return nil
	}
	for i, filled := range p.filled {
		if !filled {
			names = append(names, p.o.Fields[i])
		}
	}
	return names
}

// Event prints an event or a gap. Only JSON shows a gap; in other formats the caller has to report it.
func (p *Printer) Event(ev *ami.Event) error {
	switch {
	case p.line():
		p.buf = append(p.json.AppendEvent(p.buf, ev), '\n')
	case p.o.Format == JSONDocument && ev.Gap == nil && (p.objects > 0 || p.o.Many):
		p.beginElement()
		p.buf = p.doc.AppendEvent(p.buf, ev)
	case p.o.Format == JSONLines || p.o.Format == JSONDocument:
		p.object(p.json.AppendEvent(p.one[:0], ev))
	case p.o.Format == TableText && len(p.o.Fields) > 0 && ev.Gap == nil:
		p.columns(ev, "event")
	case p.o.Format == TableText:
		p.endRows()
		p.buf = p.lines.append(p.buf, ev)
	case ev.Gap != nil:
	case p.o.Format == CSV && len(p.o.Fields) == 0:
		own := ev.Clone() // for the table waits for Close
		p.sheets.item(p, &own)
	case p.o.Format == CSV:
		p.row(ev, "event")
	case p.o.Format == Raw:
		p.raw(ev.Text())
	}
	return p.flushFull()
}

// Reply prints the complete answer to an action.
func (p *Printer) Reply(r *ami.Reply, origin *Origin) error {
	switch {
	case p.line():
		p.buf = append(p.json.AppendReply(p.buf, r, origin), '\n')
	case p.o.Format == JSONLines || p.o.Format == JSONDocument:
		p.object(p.json.AppendReply(p.one[:0], r, origin))
	case p.o.Format == TableText:
		p.replyText(r, origin)
	case p.o.Format == CSV && len(p.o.Fields) == 0:
		p.gather(&p.sheets, r, origin)
	case p.o.Format == CSV:
		p.replyRows(r, origin)
	case p.o.Format == Raw:
		p.raw(r.Text())
		for i := range r.Events {
			p.raw(r.Events[i].Text())
		}
		p.raw(r.End.Text())
	}
	return p.flushFull()
}

// Item prints one element of a list while its action still runs.
func (p *Printer) Item(ev *ami.Event, origin *Origin) error {
	switch p.o.Format {
	case JSONLines, JSONDocument:
		p.object(p.json.AppendItem(p.one[:0], ev, origin))
	case TableText:
		if len(p.o.Fields) > 0 {
			p.columns(ev, "item")
			break
		}
		p.buf = p.lines.append(p.buf, ev)
	case CSV:
		if len(p.o.Fields) == 0 {
			p.sheets.item(p, ev)
			break
		}
		p.row(ev, "item")
	case Raw:
		p.raw(ev.Text())
	}
	return p.flushFull()
}

// columns prints an event as a row of Fields.
func (p *Printer) columns(ev *ami.Event, typ string) {
	p.stream.fields = p.o.Fields
	if p.stream.add(ev, typ); len(p.stream.rows) >= mostRows {
		p.endRows()
	}
}

// endRows writes the rows that wait to be aligned with others.
func (p *Printer) endRows() {
	for _, row := range p.stream.rows {
		p.note(row)
	}
	var left []string
	p.buf, left = p.stream.append(p.buf, &p.o)
	p.left = append(p.left, left...)
}

// note notes which of Fields hold something in a row.
func (p *Printer) note(row []cell) {
	if p.filled == nil {
		p.filled = make([]bool, len(p.o.Fields))
	}
	p.rows++
	for i := range row {
		p.filled[i] = p.filled[i] || row[i].text != ""
	}
}

// Failure prints an object of type "error"; formats other than JSON have no place for it.
func (p *Printer) Failure(f *Failure) error {
	if p.o.Format == JSONLines || p.o.Format == JSONDocument {
		p.object(AppendError(p.one[:0], f))
	}
	return p.flushFull()
}

// Record prints an object of our own. Those of one type and under one Heading are one table, which comes out at Close, as
// does CSV without Fields: it has the keys of all, and their type if there are several.
func (p *Printer) Record(r Record) error {
	switch p.o.Format {
	case JSONLines, JSONDocument:
		p.object(r.append(p.one[:0]))
	case TableText:
		p.sheets.of(p.title, r.get("type"), "type").record(r, p.o.Fields, true)
	case CSV:
		if len(p.o.Fields) == 0 {
			p.sheets.of("", r.get("type"), "type").record(r, nil, false)
			break
		}
		p.csvHead()
		cells := make([]string, len(p.o.Fields))
		for i, name := range p.o.Fields {
			cells[i] = r.get(name)
		}
		p.record(cells)
	}
	return p.flushFull()
}

// Heading says what stands above the table of the records that follow.
func (p *Printer) Heading(title string) { p.title = title }

// Packet prints a packet in the wire's form, whatever the format.
func (p *Printer) Packet(text string) error {
	p.raw(text)
	return p.flushFull()
}

// Text prints a line of text as it is, except for what a terminal must not get.
func (p *Printer) Text(prefix, line string) error {
	p.buf = append(p.buf, prefix...)
	if p.o.Terminal {
		p.buf = AppendSafe(p.buf, stripColor(line))
	} else {
		p.buf = append(p.buf, line...)
	}
	p.buf = append(p.buf, '\n')
	return p.flushFull()
}

// line reports whether an object is written as it is, in a line of its own.
func (p *Printer) line() bool { return p.o.Format == JSONLines && p.o.Query == "" }

// object takes a finished JSON object.
func (p *Printer) object(o []byte) {
	p.one = o
	switch {
	case p.o.Query != "":
		if text, ok := p.query.Get(o); ok {
			_ = p.Text("", text)
		}
	case p.o.Format == JSONLines:
		p.buf = append(append(p.buf, o...), '\n')
	default:
		p.documentObject(o)
	}
}

// documentObject adds an object to the JSON document, holding the first one back while it may stay alone.
func (p *Printer) documentObject(o []byte) {
	if p.objects == 0 && !p.o.Many {
		p.objects++
		p.pending = bytes.Clone(o)
		return
	}
	p.beginElement()
	p.buf = appendSpread(p.buf, view(o), 1)
}

// beginElement begins an element of the document, which is an array now.
func (p *Printer) beginElement() {
	p.objects++
	if p.pending != nil {
		p.buf = appendSpread(append(p.buf, "[\n  "...), view(p.pending), 1)
		p.pending = nil
	} else if p.objects == 1 {
		p.buf = append(p.buf, "[\n  "...)
		return
	}
	p.buf = append(p.buf, ",\n  "...)
}

func (p *Printer) raw(text string) {
	if !p.o.Terminal {
		p.buf = append(p.buf, text...)
		return
	}
	for line := range bytes.Lines([]byte(text)) {
		p.buf = AppendSafe(p.buf, string(bytes.TrimRight(line, "\r\n")))
		p.buf = append(p.buf, '\n')
	}
}

func (p *Printer) csvHead() {
	if !p.headed {
		p.headed = true
		p.filled = make([]bool, len(p.o.Fields))
		p.buf = appendCSV(p.buf, p.o.Fields)
	}
}

// record prints one CSV record with the columns of Fields.
func (p *Printer) record(cells []string) {
	for i, cell := range cells {
		p.filled[i] = p.filled[i] || cell != ""
	}
	p.rows++
	p.csvRow(cells)
}

// csvRow prints one CSV record; a terminal gets no cell that could command it.
func (p *Printer) csvRow(cells []string) {
	if p.o.Terminal {
		for i := range cells {
			cells[i] = Safe(cells[i])
		}
	}
	p.buf = appendCSV(p.buf, cells)
}

func (p *Printer) row(ev *ami.Event, typ string) {
	p.csvHead()
	cells := make([]string, len(p.o.Fields))
	for i, name := range p.o.Fields {
		cells[i] = eventColumn(name, ev, typ)
	}
	p.record(cells)
}

func (p *Printer) replyRows(r *ami.Reply, origin *Origin) {
	if isList(r) {
		p.csvHead()
		for i := range r.Events {
			p.row(&r.Events[i], "item")
		}
		return
	}
	p.csvHead()
	cells := make([]string, len(p.o.Fields))
	for i, name := range p.o.Fields {
		cells[i] = replyColumn(name, r, origin)
	}
	p.record(cells)
}

func (p *Printer) flushFull() error {
	if len(p.buf) >= flushAt {
		return p.Flush()
	}
	return p.err
}

// Buffered returns how many bytes wait to be written.
func (p *Printer) Buffered() int { return len(p.buf) }

// Flush writes what is buffered.
func (p *Printer) Flush() error {
	p.endRows()
	if p.err == nil && len(p.buf) > 0 {
		_, p.err = p.w.Write(p.buf)
	}
	p.buf = p.buf[:0]
	if cap(p.buf) > 4*flushAt {
		p.buf = nil
	}
	return p.err
}

// Close ends the document or table and writes what is buffered. The writer stays open.
func (p *Printer) Close() error {
	if p.o.Gather {
		for _, s := range p.sheets.all {
			s.byNode()
		}
	}
	switch {
	case p.o.Format == JSONDocument && p.o.Query == "":
		switch {
		case p.pending != nil:
			p.buf = append(appendSpread(p.buf, view(p.pending), 0), '\n')
		case p.objects > 0:
			p.buf = append(p.buf, "\n]\n"...)
		case p.o.Many:
			p.buf = append(p.buf, "[]\n"...)
		}
	case p.o.Format == CSV && len(p.o.Fields) > 0:
		p.csvHead()
	case p.o.Format == CSV:
		p.merge(&p.sheets)
	default:
		p.tables(&p.sheets)
	}
	p.sheets = sheets{}
	return p.Flush()
}
