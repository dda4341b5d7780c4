// Package prom hands families of metrics to Prometheus' client library.
package prom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/apntalk/amictl/internal/metrics"
)

type collector struct {
	gather func() []metrics.Family
	descs  map[string]*prometheus.Desc // by name
}

// NewCollector returns a collector of what gather returns, which is called once a scrape. all are the same families, their
// samples aside: names, help and labels never change.
func NewCollector(all []metrics.Family, gather func() []metrics.Family) prometheus.Collector {
	c := &collector{gather: gather, descs: make(map[string]*prometheus.Desc)}
	for i := range all {
		f := &all[i]
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
	for _, f := range c.gather() {
		kind := prometheus.CounterValue
		if f.Kind == metrics.Gauge {
			kind = prometheus.GaugeValue
		}
		for _, sample := range f.Samples {
			samples <- prometheus.MustNewConstMetric(c.descs[f.Name], kind, sample.Value, sample.Labels...)
		}
	}
}
