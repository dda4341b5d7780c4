package web

import (
	"bytes"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/internal/metrics/prom"
	"github.com/apntalk/amictl/pkg/ami/amiprom"
)

// scrapes is how many scrapes are answered at once: a scraper in a loop takes no more of the daemon than that.
const scrapes = 4

// metrics answers with everything that is counted: the engine's figures of both kinds of sessions, what the servers hold, and
// the daemon's own.
func (d *door) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	prometheus.WrapRegistererWith(prometheus.Labels{"sessions": "events"}, registry).MustRegister(amiprom.NewCollector(d.up.EventStats))
	prometheus.WrapRegistererWith(prometheus.Labels{"sessions": "actions"}, registry).MustRegister(amiprom.NewCollector(d.up.ActionStats))
	registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector(),
		d.requests, d.queues.waits,
		prom.NewCollector(d.holdings(false), func() []metrics.Family { return d.holdings(true) }),
		prom.NewCollector(d.doings(), d.doings),
	)
	gather := promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: scrapes, ErrorLog: scrapeLog{d}})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave, full := d.sends.enter(d.limits.sends, clientOf(r).key(), d.limits.perSender)
		if full != nil {
			full.write(w, r)
			return
		}
		defer leave()
		whole := &gathered{header: w.Header(), status: http.StatusOK}
		gather.ServeHTTP(whole, r)
		w.WriteHeader(whole.status)
		_, _ = w.Write(whole.body.Bytes())
	})
}

// gathered is an answer that is written once it is whole: who reads slowly does not keep others from being gathered for.
type gathered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (g *gathered) Header() http.Header         { return g.header }
func (g *gathered) WriteHeader(status int)      { g.status = status }
func (g *gathered) Write(b []byte) (int, error) { return g.body.Write(b) }

// scrapeLog is where a scrape tells of what it could not gather.
type scrapeLog struct{ d *door }

func (l scrapeLog) Println(v ...any) { l.d.up.Log.Error("metrics", "error", v) }

// doings are the daemon's own figures.
func (d *door) doings() []metrics.Family {
	actions := metrics.Family{Name: "amictl_actions_total", Kind: metrics.Counter, Help: "Clients' actions by door and result; logins and requests that were refused are denied.", Labels: []string{"door", "result"}}
	for of, n := range d.up.Counts() {
		actions.Add(float64(n), of.Door, of.Result)
	}
	w, r := d.up.Window.Stats(), d.up.Readiness()
	all := []metrics.Family{actions}
	for _, m := range []struct {
		name  string
		kind  metrics.Kind
		help  string
		value float64
	}{
		{"amictl_window_events_total", metrics.Counter, "Events and gaps that came into the window.", float64(w.Events)},
		{"amictl_window_events", metrics.Gauge, "Events that the window holds.", float64(w.Held)},
		{"amictl_window_bytes", metrics.Gauge, "Memory of the window.", float64(w.Bytes)},
		{"amictl_window_readers", metrics.Gauge, "Clients of all doors that follow events.", float64(w.Readers)},
		{"amictl_http_requests_in_flight", metrics.Gauge, "Requests that are being answered.", float64(d.room.count())},
		{"amictl_http_streams", metrics.Gauge, "Streams of events among them.", float64(d.streams.count())},
		{"amictl_ami_clients", metrics.Gauge, "Connections to the AMI doors.", float64(d.up.AMI.Clients.Load())},
		{"amictl_ami_events_total", metrics.Counter, "Events written to clients of the AMI doors.", float64(d.up.AMI.Events.Load())},
		{"amictl_ami_cut_off_total", metrics.Counter, "Clients of the AMI doors that were too slow, and cut off.", float64(d.up.AMI.CutOff.Load())},
		{"amictl_ami_logins_failed_total", metrics.Counter, "Logins at the AMI doors that failed.", float64(d.up.AMI.LoginsFailed.Load())},
		{"amictl_nodes", metrics.Gauge, "Nodes that the daemon has.", float64(r.Nodes)},
		{"amictl_nodes_ready", metrics.Gauge, "Of these, those that take actions and send events.", float64(r.Ready)},
	} {
		f := metrics.Family{Name: m.name, Kind: m.kind, Help: m.help}
		f.Add(m.value)
		all = append(all, f)
	}
	return all
}
