package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"sync"
	"time"
)

// Authority gives every name its certificate, and some a bad one.
type Authority struct {
	key    *ecdsa.PrivateKey
	root   *x509.Certificate
	pem    []byte
	serial int64
	mutex  sync.Mutex
	made   map[string]*tls.Certificate
}

func newAuthority() *Authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must("ca", err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "Test internet"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must("ca", err)
	root, err := x509.ParseCertificate(der)
	must("ca", err)
	return &Authority{key: key, root: root, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), serial: time.Now().UnixNano(), made: map[string]*tls.Certificate{}}
}

// of answers the certificate for a name; without one, that of an address.
func (a *Authority) of(name string) *tls.Certificate {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if known := a.made[name]; known != nil {
		return known
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must("certificate", err)
	a.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(12 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	parent, signer := a.root, a.key
	switch {
	case name == "expired.example":
		template.NotBefore, template.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	case name == "notyet.example":
		template.NotBefore = time.Now().Add(6 * time.Hour)
	case name == "wrongname.example":
		template.DNSNames = []string{"denied.example"}
	case name == "selfsigned.example":
		parent, signer = template, key
	case name == "otherca.example":
		other := newAuthority()
		parent, signer = other.root, other.key
	case net.ParseIP(name) != nil:
		template.DNSNames, template.IPAddresses = nil, []net.IP{net.ParseIP(name)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	must("certificate", err)
	certificate := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	a.made[name] = certificate
	return certificate
}
