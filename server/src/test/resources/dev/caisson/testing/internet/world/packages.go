package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Packages are one package each for pip, npm and apt, all called lab-greeting, served as plain files.
type Packages struct {
	files map[string][]byte
}

func newPackages() *Packages {
	p := &Packages{files: map[string][]byte{}}
	p.pip()
	p.npm()
	p.apt()
	return p
}

func (p *Packages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if path == "/lab-greeting" {
		p.npmMetadata(w, r)
		return
	}
	content, found := p.files[path]
	if !found {
		http.NotFound(w, r)
		return
	}
	if strings.HasSuffix(path, "/") {
		w.Header().Set("Content-Type", "text/html")
	} else {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	_, _ = w.Write(content)
}

func (p *Packages) pip() {
	const wheel = "lab_greeting-1.0-py3-none-any.whl"
	info := "lab_greeting-1.0.dist-info/"
	contents := [][2]string{
		{"lab_greeting.py", "def greet():\n    return 'hello from a wheel'\n"},
		{info + "METADATA", "Metadata-Version: 2.1\nName: lab-greeting\nVersion: 1.0\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: lab\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
	}
	var record strings.Builder
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	add := func(name, content string) {
		f, err := z.Create(name)
		must("wheel", err)
		_, _ = io.WriteString(f, content)
	}
	for _, each := range contents {
		add(each[0], each[1])
		sum := sha256.Sum256([]byte(each[1]))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", each[0], base64.RawURLEncoding.EncodeToString(sum[:]), len(each[1]))
	}
	add(info+"RECORD", record.String()+info+"RECORD,,\n")
	must("wheel", z.Close())
	p.files["/files/"+wheel] = out.Bytes()
	p.files["/simple/"] = []byte(`<!DOCTYPE html><html><body><a href="/simple/lab-greeting/">lab-greeting</a></body></html>`)
	p.files["/simple/lab-greeting/"] = []byte(fmt.Sprintf(`<!DOCTYPE html><html><body><a href="/files/%s#sha256=%x">%s</a></body></html>`, wheel, sha256.Sum256(out.Bytes()), wheel))
}

func (p *Packages) npm() {
	p.files["/lab-greeting/-/lab-greeting-1.0.0.tgz"] = tarball([][2]string{
		{"package/package.json", `{"name":"lab-greeting","version":"1.0.0","main":"index.js"}`},
		{"package/index.js", "module.exports = () => 'hello from a tarball'\n"},
	})
}

func (p *Packages) npmMetadata(w http.ResponseWriter, r *http.Request) {
	tgz := p.files["/lab-greeting/-/lab-greeting-1.0.0.tgz"]
	integrity, shasum := sha512.Sum512(tgz), sha1.Sum(tgz)
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"name": "lab-greeting", "dist-tags": map[string]string{"latest": "1.0.0"}, "versions": map[string]any{"1.0.0": map[string]any{
		"name": "lab-greeting", "version": "1.0.0", "dist": map[string]string{
			"tarball": scheme + "://" + r.Host + "/lab-greeting/-/lab-greeting-1.0.0.tgz", "integrity": "sha512-" + base64.StdEncoding.EncodeToString(integrity[:]), "shasum": hex.EncodeToString(shasum[:])}}}})
}

// A flat repository: deb [trusted=yes] http://apt.example/debian ./
func (p *Packages) apt() {
	control := "Package: lab-greeting\nVersion: 1.0\nArchitecture: all\nMaintainer: Lab <lab@allowed.example>\nDescription: greets\n"
	var deb bytes.Buffer
	deb.WriteString("!<arch>\n")
	member := func(name string, content []byte) {
		fmt.Fprintf(&deb, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", len(content))
		deb.Write(content)
		if len(content)%2 == 1 {
			deb.WriteByte('\n')
		}
	}
	member("debian-binary", []byte("2.0\n"))
	member("control.tar.gz", tarball([][2]string{{"./control", control}}))
	member("data.tar.gz", tarball([][2]string{{"./usr/share/lab-greeting", "hello from a deb\n"}}))
	packages := fmt.Sprintf("%sFilename: ./lab-greeting.deb\nSize: %d\nSHA256: %x\n\n", control, deb.Len(), sha256.Sum256(deb.Bytes()))
	release := fmt.Sprintf("Origin: lab\nDate: %s\nMD5Sum:\n %x %d Packages\nSHA256:\n %x %d Packages\n", time.Now().UTC().Format(time.RFC1123), md5.Sum([]byte(packages)), len(packages),
		sha256.Sum256([]byte(packages)), len(packages))
	p.files["/debian/./lab-greeting.deb"] = deb.Bytes()
	p.files["/debian/lab-greeting.deb"] = deb.Bytes()
	p.files["/debian/Packages"] = []byte(packages)
	p.files["/debian/Release"] = []byte(strings.ReplaceAll(release, "GMT", "UTC"))
}

func tarball(contents [][2]string) []byte {
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	archive := tar.NewWriter(compressed)
	made := map[string]bool{}
	for _, each := range contents {
		// dpkg wants the directories too.
		for i := range each[0] {
			if directory := each[0][:i+1]; each[0][i] == '/' && !made[directory] {
				made[directory] = true
				must("tar", archive.WriteHeader(&tar.Header{Name: directory, Typeflag: tar.TypeDir, Mode: 0o755}))
			}
		}
		must("tar", archive.WriteHeader(&tar.Header{Name: each[0], Mode: 0o644, Size: int64(len(each[1]))}))
		_, err := io.WriteString(archive, each[1])
		must("tar", err)
	}
	must("tar", archive.Close())
	must("tar", compressed.Close())
	return out.Bytes()
}
