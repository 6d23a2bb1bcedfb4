// goproxy: the reverse proxy of Go's standard library, as plain as it comes, to compare with. Built by
// bench.py; started as `goproxy LISTEN TLSLISTEN BACKEND CERT KEY`, addresses as HOST:PORT.
package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"os"
	"sync"
	"time"
)

type buffer [32 << 10]byte

type bufferPool struct{ free sync.Pool }

func (p *bufferPool) Get() []byte  { return p.free.Get().(*buffer)[:] }
func (p *bufferPool) Put(b []byte) { p.free.Put((*buffer)(b)) }

func main() {
	if len(os.Args) != 6 {
		log.Fatal("usage: goproxy LISTEN TLSLISTEN BACKEND CERT KEY")
	}
	listen, tlsListen, backend, cert, key := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	quiet := log.New(io.Discard, "", 0)
	proxy := &httputil.ReverseProxy{
		// path, query and Host stay as they are
		Director: func(r *http.Request) { r.URL.Scheme, r.URL.Host = "http", backend },
		Transport: &http.Transport{
			MaxIdleConns:        10000,
			MaxIdleConnsPerHost: 10000, // the default of 2 would dial for almost every request
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true,
		},
		BufferPool: &bufferPool{sync.Pool{New: func() any { return new(buffer) }}},
		ErrorLog:   quiet,
	}
	plain := &http.Server{Addr: listen, Handler: proxy, ErrorLog: quiet}
	secure := &http.Server{Addr: tlsListen, Handler: proxy, ErrorLog: quiet}
	go func() { log.Fatal(secure.ListenAndServeTLS(cert, key)) }()
	log.Fatal(plain.ListenAndServe())
}
