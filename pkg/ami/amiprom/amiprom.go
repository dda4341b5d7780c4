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
	"github.com/apntalk/amictl/internal/metrics/prom"
	"github.com/apntalk/amictl/pkg/ami"
)

// NewCollector returns a collector of what stats returns, which is called once a scrape: [ami.Cluster.Stats] as a rule.
// Every metric begins with "ami_" and has the label "node" if it is a node's. For two clusters in one registry, give
// each a label of its own with [prometheus.WrapCollectorWith].
func NewCollector(stats func() ami.ClusterStats) prometheus.Collector {
	return prom.NewCollector(metrics.Of(&ami.ClusterStats{}), func() []metrics.Family {
		s := stats()
		return metrics.Of(&s)
	})
}
