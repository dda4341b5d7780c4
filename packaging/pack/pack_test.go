package main

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var when = time.Date(2026, 11, 28, 9, 23, 40, 0, time.UTC)

// tree makes a folder with a program and a text in it, as old and as closed as it may happen to be.
func tree(t *testing.T, age time.Duration, umask os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"amictl": 0o777, "LICENSE": 0o666} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode&^umask); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, when.Add(-age), when.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Archives of the same files are the same, whoever made the files, and when.
func TestArchivesAreReproducible(t *testing.T) {
	for _, name := range []string{"amictl_1_linux_amd64.tar.gz", "amictl_1_windows_amd64.zip"} {
		var made [][]byte
		for i, umask := range []os.FileMode{0o022, 0o077} {
			out := filepath.Join(t.TempDir(), name)
			if err := archive(out, tree(t, time.Duration(i)*time.Hour, umask), when); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, b)
		}
		if !bytes.Equal(made[0], made[1]) {
			t.Errorf("%s: two archives differ", name)
		}
	}
}

// What is neither a file nor a folder is refused: it would be missing.
func TestArchiveRefusesLinks(t *testing.T) {
	dir := tree(t, 0, 0)
	if err := os.Symlink("amictl", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := archive(filepath.Join(t.TempDir(), "a.zip"), dir, when); err == nil || !strings.Contains(err.Error(), "link is no file") {
		t.Errorf("got %v", err)
	}
}

// Licences that are not known, not allowed or not there are refused.
func TestLicencesOf(t *testing.T) {
	mit, err := os.ReadFile("testdata/MIT")
	if err != nil {
		t.Fatal(err)
	}
	const gpl = "This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License as published " +
		"by the Free Software Foundation, either version 3 of the License, or (at your option) any later version.\n"
	for name, tt := range map[string]struct{ file, text, want string }{
		"allowed":     {"LICENSE", string(mit), ""},
		"other name":  {"COPYING.md", string(mit), ""},
		"not known":   {"LICENSE", "Do what you like on Fridays.\n", "is no licence that is known"},
		"not allowed": {"LICENSE", gpl, "is not allowed"},
		"none":        {"README", string(mit), "no licence was found"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, tt.file), []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			kinds, texts, err := licencesOf(module{Path: "example.com/m", Version: "v1.0.0", Dir: dir})
			switch {
			case tt.want == "" && (err != nil || strings.Join(kinds, " ") != "MIT" || len(texts) != 1):
				t.Errorf("got %v, %d texts, %v", kinds, len(texts), err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// All modules that are linked into a program are named with their licences, and Go itself.
func TestLicencesOfABinary(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "licences")
	if err := licences(out, []string{self}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(self)
	if err != nil || len(info.Deps) == 0 {
		t.Fatalf("%v, %d modules", err, len(info.Deps))
	}
	for _, m := range info.Deps {
		if !strings.Contains(string(text), "\n"+m.Path+" "+m.Version+"\n") {
			t.Errorf("%s is not named", m.Path)
		}
	}
	if !strings.Contains(string(text), "\nGo\nBSD-3-Clause\n") {
		t.Error("Go is not named")
	}
}

// Bills of materials that two builds of the same tool made are the same; one that is none is refused.
func TestMaterials(t *testing.T) {
	var made []string
	for _, hash := range []string{"aa", "bb"} {
		file := filepath.Join(t.TempDir(), "bill")
		text := `{"bomFormat":"CycloneDX","version":1,"metadata":{"tools":[{"name":"maker","version":"v1","hashes":[{"alg":"MD5","content":"` + hash +
			`"}]}]},"components":[{"name":"a","hashes":[{"alg":"SHA-256","content":"cc"}]}]}`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := materials(file); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, string(b))
	}
	if made[0] != made[1] || !strings.Contains(made[0], `"maker"`) || !strings.Contains(made[0], `"cc"`) {
		t.Errorf("%s\n%s", made[0], made[1])
	}
	file := filepath.Join(t.TempDir(), "none")
	if err := os.WriteFile(file, []byte(`{"metadata":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := materials(file); err == nil || !strings.Contains(err.Error(), "does not say what made it") {
		t.Errorf("got %v", err)
	}
}
