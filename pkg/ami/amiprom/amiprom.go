// Package amiprom shows a cluster's figures to Prometheus:
//
//	registry.MustRegister(amiprom.NewCollector(cluster.Stats))
//	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
//
// docs/operations.md in the repository explains every metric.
package amiprom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/apntalk/amictl/internal/metrics"
	"github.com/apntalk/amictl/pkg/ami"
)

type collector struct {
	stats func() ami.ClusterStats
	descs map[string]*prometheus.Desc // by name
}

// NewCollector returns a collector of what stats returns, which is called once a scrape: [ami.Cluster.Stats] as a rule.
// Every metric begins with "ami_" and has the label "node" if it is a node's. For two clusters in one registry, give
// each a label of its own with [prometheus.WrapCollectorWith].
func NewCollector(stats func() ami.ClusterStats) prometheus.Collector {
	c := &collector{stats: stats, descs: make(map[string]*prometheus.Desc)}
	for _, f := range metrics.Of(&ami.ClusterStats{}) {
		c.descs[f.Name] = prometheus.NewDesc(f.Name, f.Help, f.Labels, nil)
	}
	return c
}

// Describe sends what metrics there are.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		descs <- d
	}
}

// Collect sends what they are now.
func (c *collector) Collect(samples chan<- prometheus.Metric) {
	s := c.stats()
	for _, f := range metrics.Of(&s) {
		kind := prometheus.CounterValue
		if f.Kind == metrics.Gauge {
			kind = prometheus.GaugeValue
		}
		for _, sample := range f.Samples {
			samples <- prometheus.MustNewConstMetric(c.descs[f.Name], kind, sample.Value, sample.Labels...)
		}
	}
}
