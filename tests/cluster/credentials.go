package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Users of the token file: the default RBAC policy knows all but the first by
// name, and that one by its group.
type user struct{ kubeconfig, name, groups string }

func users(node string) []user {
	return []user{
		{"admin", "admin", "system:masters"},
		{"kube-controller-manager", "system:kube-controller-manager", ""},
		{"kube-scheduler", "system:kube-scheduler", ""},
		{"kube-proxy", "system:kube-proxy", ""},
		{"kubelet", "system:node:" + node, "system:nodes"},
	}
}

// The first address of serviceRange, under which pods reach the API server.
const serviceIP = "10.96.0.1"

func runCredentials() int {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: credentials FOLDER SERVER-ADDRESS SERVER-PORT NODE\n"+
			"Makes in FOLDER what the components of one cluster know each other by.")
		return 2
	}
	server := "https://" + net.JoinHostPort(os.Args[2], os.Args[3])
	if err := writeCredentials(os.Args[1], server, os.Args[2], os.Args[4]); err != nil {
		return failed("credentials", err)
	}
	return 0
}

// writeCredentials makes the CA, the certificates signed by it, the key of
// service-account tokens, the token file and a kubeconfig for every user.
func writeCredentials(folder, server, address, node string) error {
	authority, err := newAuthority(folder)
	if err != nil {
		return err
	}
	serving := x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
			"kubernetes.default.svc.cluster.local"},
		IPAddresses: []net.IP{net.ParseIP(address), net.ParseIP("127.0.0.1"), net.ParseIP(serviceIP)},
	}
	kubeletClient := x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if err := authority.issue("apiserver", &serving); err != nil {
		return err
	}
	if err := authority.issue("apiserver-kubelet-client", &kubeletClient); err != nil {
		return err
	}
	if _, err := newKey(filepath.Join(folder, "service-account.key")); err != nil {
		return err
	}
	return writeTokens(folder, server, authority.pem, users(node))
}

func writeTokens(folder, server string, authority []byte, users []user) error {
	var file strings.Builder
	for _, user := range users {
		token := rand.Text()
		fmt.Fprintf(&file, "%s,%s,%s,%q\n", token, user.name, user.name, user.groups)
		config := kubeconfig(server, authority, user.name, token)
		if err := os.WriteFile(filepath.Join(folder, user.kubeconfig+".kubeconfig"), config, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(folder, "tokens.csv"), []byte(file.String()), 0o600)
}

func kubeconfig(server string, authority []byte, user, token string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: tokencache
contexts:
- name: tokencache
  context: {cluster: tokencache, user: %[3]q, namespace: default}
clusters:
- name: tokencache
  cluster:
    server: %[1]s
    certificate-authority-data: %[2]s
users:
- name: %[3]q
  user: {token: %[4]q}
`, server, base64.StdEncoding.EncodeToString(authority), user, token)
}

type authority struct {
	folder      string
	certificate *x509.Certificate
	pem         []byte
	key         crypto.Signer
}

func newAuthority(folder string) (*authority, error) {
	key, err := newKey(filepath.Join(folder, "ca.key"))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "tokencache-test-cluster"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	a := &authority{folder: folder, certificate: template, key: key}
	a.pem, err = a.sign("ca", template, key.Public())
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(a.pem)
	a.certificate, err = x509.ParseCertificate(block.Bytes)
	return a, err
}

func (a *authority) issue(name string, template *x509.Certificate) error {
	key, err := newKey(filepath.Join(a.folder, name+".key"))
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	_, err = a.sign(name, template, key.Public())
	return err
}

func (a *authority) sign(name string, template *x509.Certificate, public crypto.PublicKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	// Hosts and their virtual machines disagree about the time by more than one thinks.
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().AddDate(1, 0, 0)
	bytes, err := x509.CreateCertificate(rand.Reader, template, a.certificate, public, a.key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: bytes})
	return text, os.WriteFile(filepath.Join(a.folder, name+".crt"), text, 0o644)
}

func newKey(path string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	bytes, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	// In this form kube-apiserver also takes it where it wants a public key.
	text := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: bytes})
	return key, os.WriteFile(path, text, 0o600)
}
