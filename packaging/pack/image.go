package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// user is whom the programs run as in the image, by number, so that Kubernetes sees that it is not root.
const user = "65532:65532"

// image writes an OCI archive with an image for each ARCH=DIR: the programs and what they expect of a system, on nothing.
func image(out, version, commit string, platforms []string, when time.Time) error {
	labels := map[string]string{
		"org.opencontainers.image.title":    "amictl",
		"org.opencontainers.image.version":  version,
		"org.opencontainers.image.revision": commit,
		"org.opencontainers.image.created":  when.Format(time.RFC3339),
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.source":   "https://github.com/apntalk/amictl",
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		arch, dir, ok := strings.Cut(p, "=")
		if !ok {
			return fmt.Errorf("%s is not ARCH=DIR", p)
		}
		img, err := imageOf(arch, dir, labels, when)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	dir, err := os.MkdirTemp(filepath.Dir(out), ".oci")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// The archive's own index names one thing, the image for all platforms, by its tag.
	path, err := layout.Write(dir, mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	if err != nil {
		return err
	}
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": version})); err != nil {
		return err
	}
	entries, err := entriesOf(dir, ".")
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e entry) bool { return e.name == "./" })
	b, err := tarOf(entries, when)
	if err != nil {
		return err
	}
	return os.WriteFile(out, b, 0o644)
}

func imageOf(arch, dir string, labels map[string]string, when time.Time) (v1.Image, error) {
	entries, err := filesOf(dir)
	if err != nil {
		return nil, err
	}
	b, err := tarOf(entries, when)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: when}, CreatedBy: "amictl " + labels["org.opencontainers.image.version"]}})
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: when}
	config.Config = v1.Config{
		User: user, WorkingDir: "/", Labels: labels, Entrypoint: []string{"/usr/bin/amictl"}, Cmd: []string{"--help"},
		Env: []string{"PATH=/usr/bin", "HOME=/home/amictl", "AMICTL_CONFIG=/etc/amictl/config.toml"},
	}
	return mutate.ConfigFile(img, config)
}

// filesOf are all the files of an image.
func filesOf(dir string) ([]entry, error) {
	roots, err := roots()
	if err != nil {
		return nil, err
	}
	config, err := os.ReadFile(filepath.Join(dir, "etc", "config.toml"))
	if err != nil {
		return nil, err
	}
	all := []entry{
		{name: "etc/", mode: 0o755},
		{name: "etc/amictl/", mode: 0o755},
		{name: "etc/amictl/config.toml", mode: 0o644, text: config},
		{name: "etc/group", mode: 0o644, text: []byte("root:x:0:\namictl:x:65532:\n")},
		{name: "etc/passwd", mode: 0o644, text: []byte("root:x:0:0:root:/:/sbin/nologin\namictl:x:65532:65532:amictl:/home/amictl:/sbin/nologin\n")},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, text: roots},
		{name: "home/", mode: 0o755},
		{name: "home/amictl/", mode: 0o755},
		{name: "tmp/", mode: 0o1777},
		{name: "usr/", mode: 0o755},
		{name: "usr/bin/", mode: 0o755},
	}
	for _, file := range []string{"amictl", "amictld", "LICENSE", "THIRD_PARTY_LICENSES"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return nil, err
		}
		e := entry{name: "usr/bin/" + file, mode: 0o755, text: text}
		if file == strings.ToUpper(file) {
			e = entry{name: file, mode: 0o644, text: text}
		}
		all = append(all, e)
	}
	return all, nil
}

// roots are the certificates that Mozilla trusts for servers, as PEM. Those that it trusts in part only are left out: a file of
// certificates cannot say so.
func roots() ([]byte, error) {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}
