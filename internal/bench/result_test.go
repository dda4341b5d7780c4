package bench

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fill gives every exported field below v a value of its own: maps and slices one element, pointers something to point to.
func fill(v reflect.Value, next *int) {
	*next++
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(*next), 0).UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), next)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), next)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), next)
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, next)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), value)
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *next))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(float64(*next) + 0.5)
	default:
		if v.CanInt() {
			v.SetInt(int64(*next))
		} else {
			v.SetUint(uint64(*next))
		}
	}
}

func TestResultSurvivesItsFile(t *testing.T) {
	want := &Result{}
	fill(reflect.ValueOf(want).Elem(), new(int))
	want.Schema = Schema
	name := filepath.Join(t.TempDir(), "r.json")
	if err := want.WriteFile(name); err != nil {
		t.Fatal(err)
	}
	got, err := ReadResultFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	for _, key := range []string{
		`"version"`, `"seed"`, `"machine"`, `"config"`, `"verdict"`, `"total"`, `"nodes"`, `"p50_us"`, `"service_p99_us"`,
		`"fairness"`, `"memory"`, `"ledger"`, `"intervals"`, `"histograms"`, `"ended"`, `"rate"`,
	} {
		b, _ := os.ReadFile(name)
		if !bytes.Contains(b, []byte(key)) {
			t.Errorf("the file has no %s", key)
		}
	}
}

func TestFileIsWholeOrNotThere(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "r.json")
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := sound()
	bad.Elapsed = math.NaN() // JSON has no such number
	if err := bad.WriteFile(name); err == nil {
		t.Fatal("a result that cannot be written was")
	}
	b, err := os.ReadFile(name)
	if err != nil || string(b) != "old" {
		t.Errorf("after a failed write the file holds %q, %v", b, err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files are left in the directory", len(files))
	}
	if err := sound().WriteFile(filepath.Join(dir, "none", "r.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("into a directory that is not there: %v", err)
	}
}

func TestReadResultRefuses(t *testing.T) {
	for _, in := range []string{``, `{}`, `[]`, `{"schema":99}`, `{"schema":1,"nodes":[{"node":"a"}]}`, `{"schema":1,"elapsed_s":"x"}`} {
		if _, err := readResult(strings.NewReader(in)); err == nil {
			t.Errorf("%s was read", in)
		}
	}
}
