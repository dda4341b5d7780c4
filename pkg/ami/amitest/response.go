package amitest

import (
	"context"
	"strconv"
	"time"
)

// ResponseWriter writes the answer to one action. What is written goes out when
// the action ends, or earlier with Flush. It is valid only until its handler
// returns, and only for the handler's own goroutine.
type ResponseWriter struct {
	sess    *session
	closing bool // the session ends after this action
	items   int  // of the list under way
}

// Ack answers Response: Success with a message, or without if it is empty
// (astman_send_ack).
func (w *ResponseWriter) Ack(message string) { w.simple("Success", message, markReply) }

// Error answers Response: Error (astman_send_error).
func (w *ResponseWriter) Error(message string) { w.simple("Error", message, markError) }

func (w *ResponseWriter) simple(response, message string, kind markKind) {
	w.head(response)
	b := w.sess.batch.b
	if message != "" {
		b = appendHeader(b, "Message", message)
	}
	w.sess.batch.b = append(b, '\r', '\n')
	w.sess.batch.close(kind)
}

// head writes Response and, if the client gave one, ActionID
// (astman_send_response_full).
func (w *ResponseWriter) head(response string) {
	b := append(w.sess.batch.b, "Response: "...)
	b = append(b, response...)
	b = append(b, '\r', '\n')
	if id := w.sess.req.id; len(id) > 0 {
		b = append(b, "ActionID: "...)
		b = append(b, id...)
		b = append(b, '\r', '\n')
	}
	w.sess.batch.b = b
}

// Reply answers with any response and headers.
func (w *ResponseWriter) Reply(response string, headers ...Header) {
	w.head(response)
	b := w.sess.batch.b
	for _, h := range headers {
		b = appendHeader(b, h.Name, h.Value)
	}
	w.sess.batch.b = append(b, '\r', '\n')
	kind := markReply
	if response == "Error" {
		kind = markError
	}
	w.sess.batch.close(kind)
}

// ListStart answers the head of a list: Success, EventList: start and a message.
// Series 13 and older leave EventList out (astman_send_listack).
func (w *ResponseWriter) ListStart(message string) {
	w.items = 0
	w.head("Success")
	b := w.sess.batch.b
	if !w.sess.srv.cfg.version.legacy() {
		b = append(b, "EventList: start\r\n"...)
	}
	if message != "" {
		b = appendHeader(b, "Message", message)
	}
	w.sess.batch.b = append(b, '\r', '\n')
	w.sess.batch.close(markPart)
}

// Item writes one list item: an event with the client's ActionID second and
// without a Privilege. Fields are name, value, name, value….
func (w *ResponseWriter) Item(event string, kv ...string) {
	w.itemHead(event)
	b := w.sess.batch.b
	for i := 0; i+1 < len(kv); i += 2 {
		b = appendHeader(b, kv[i], kv[i+1])
	}
	w.sess.batch.b = b
	w.itemEnd()
}

// ItemFields is Item for headers.
func (w *ResponseWriter) ItemFields(event string, headers []Header) {
	w.itemHead(event)
	b := w.sess.batch.b
	for _, h := range headers {
		b = appendHeader(b, h.Name, h.Value)
	}
	w.sess.batch.b = b
	w.itemEnd()
}

func (w *ResponseWriter) itemHead(event string) {
	b := appendHeader(w.sess.batch.b, "Event", event)
	if id := w.sess.req.id; len(id) > 0 {
		b = append(b, "ActionID: "...)
		b = append(b, id...)
		b = append(b, '\r', '\n')
	}
	w.sess.batch.b = b
}

// itemTail is Item for modules that write the ActionID behind the fields.
func (w *ResponseWriter) itemTail(event string, headers []Header) {
	b := appendHeader(w.sess.batch.b, "Event", event)
	for _, h := range headers {
		b = appendHeader(b, h.Name, h.Value)
	}
	if id := w.sess.req.id; len(id) > 0 {
		b = appendHeader(b, "ActionID", string(id))
	}
	w.sess.batch.b = b
	w.itemEnd()
}

func (w *ResponseWriter) itemEnd() {
	w.items++
	w.sess.batch.b = append(w.sess.batch.b, '\r', '\n')
	w.sess.batch.close(markItem)
}

// ListEnd writes the end event of a list: EventList: Complete and ListItems with
// the number of items written since ListStart, then fields
// (astman_send_list_complete_start).
func (w *ResponseWriter) ListEnd(event string, kv ...string) { w.listEnd(event, w.items, kv...) }

func (w *ResponseWriter) listEnd(event string, items int, kv ...string) {
	w.itemHead(event)
	b := w.sess.batch.b
	if !w.sess.srv.cfg.version.legacy() {
		b = append(b, "EventList: Complete\r\n"...)
	}
	b = append(b, "ListItems: "...)
	b = strconv.AppendInt(b, int64(items), 10)
	b = append(b, '\r', '\n')
	for i := 0; i+1 < len(kv); i += 2 {
		b = appendHeader(b, kv[i], kv[i+1])
	}
	w.sess.batch.b = append(b, '\r', '\n')
	w.sess.batch.close(markReply)
}

// Raw writes bytes as they are, as answers without a Response header do
// (Queues, IAXnetstats). They count as no reply.
func (w *ResponseWriter) Raw(text string) {
	w.sess.batch.b = append(w.sess.batch.b, text...)
	w.sess.batch.close(markPart)
}

// blank writes an extra blank line behind the packet just written.
func (w *ResponseWriter) blank() {
	w.sess.batch.b = append(w.sess.batch.b, '\r', '\n')
	if n := len(w.sess.batch.marks); n > 0 {
		w.sess.batch.marks[n-1].end = len(w.sess.batch.b)
	}
}

// Flush sends what was written so far, while the action goes on. Events stay
// behind until it ends.
func (w *ResponseWriter) Flush() {
	w.sess.pass(true)
	w.sess.batch.prepare()
}

// Sleep keeps the session busy for d, as a blocking action does; everything
// written before is sent first. It says whether it slept in full, which it does
// not if the server closes.
func (w *ResponseWriter) Sleep(d time.Duration) bool {
	w.Flush()
	return w.sess.srv.sleep(d)
}

// Context ends when the server closes.
func (w *ResponseWriter) Context() context.Context { return w.sess.srv.ctx }

// Close ends the session once the answer is written, as a handler that returns
// -1 does.
func (w *ResponseWriter) Close() { w.closing = true }
