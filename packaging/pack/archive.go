package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// An entry is a file of an archive, or a folder if its name ends with a slash. All of them are root's.
type entry struct {
	name string
	mode int64
	text []byte
}

// modeOf is what a file may be there: who made it, and with which umask, does not show.
func modeOf(info fs.FileInfo) int64 {
	if info.IsDir() || info.Mode()&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

// entriesOf reads all of a folder, in order, under a name.
func entriesOf(dir, under string) (all []entry, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		e := entry{name: path.Join(under, name), mode: modeOf(info)}
		switch {
		case d.IsDir():
			e.name += "/"
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is no file", filepath.Join(dir, name))
		default:
			if e.text, err = root.ReadFile(name); err != nil {
				return err
			}
		}
		all = append(all, e)
		return nil
	})
	return all, err
}

// archive writes a folder as an archive of the kind that the name of out says.
func archive(out, dir string, when time.Time) error {
	base, zipped := strings.CutSuffix(filepath.Base(out), ".zip")
	entries, err := entriesOf(dir, strings.TrimSuffix(base, ".tar.gz"))
	if err != nil {
		return err
	}
	var b []byte
	if zipped {
		b, err = zipOf(entries, when)
	} else if b, err = tarOf(entries, when); err == nil {
		b, err = gzipped(b)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(out, b, 0o644)
}

func tarOf(entries []entry, when time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Size: int64(len(e.text)), ModTime: when, Uname: "root", Gname: "root", Format: tar.FormatPAX}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.text); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

func zipOf(entries []entry, when time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: when}
		if strings.HasSuffix(e.name, "/") {
			h.Method = zip.Store
			h.SetMode(fs.ModeDir | fs.FileMode(e.mode))
		} else {
			h.SetMode(fs.FileMode(e.mode))
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(e.text); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// gzipped has no name and no time in it.
func gzipped(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}

func gzipAll(files []string) error {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		b, err := gzipped(text)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file+".gz", b, 0o644); err != nil {
			return err
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

// sums writes what `sha256sum --check SHA256SUMS` reads.
func sums(dir string) error {
	const name = "SHA256SUMS"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, e := range entries {
		if e.IsDir() || e.Name() == name {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(text), e.Name())
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(b.String()), 0o644)
}
