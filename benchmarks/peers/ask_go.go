// The MX of many names by Go's miekg/dns, by as many workers as questions are under way, each with a socket of its own.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

const (
	underWay = 200
	tries    = 6
	timeout  = 3 * time.Second
)

func work(port string, next, answered *int64, count int64) {
	client := &dns.Client{Timeout: timeout}
	conn, err := client.Dial("127.0.0.1:" + port)
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	for {
		number := atomic.AddInt64(next, 1) - 1
		if number >= count {
			return
		}
		question := new(dns.Msg).SetQuestion(fmt.Sprintf("d%d.example.", number), dns.TypeMX)
		for try := 0; try < tries; try++ {
			reply, _, err := client.ExchangeWithConn(question, conn)
			if err == nil && len(reply.Answer) > 0 {
				atomic.AddInt64(answered, 1)
				break
			}
		}
	}
}

func seconds(spent syscall.Timeval) float64 {
	return float64(spent.Sec) + float64(spent.Usec)/1e6
}

func main() {
	port := os.Args[1]
	count, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		panic(err)
	}
	var next, answered int64
	var workers sync.WaitGroup
	began := time.Now()
	for worker := 0; worker < underWay; worker++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			work(port, &next, &answered, count)
		}()
	}
	workers.Wait()
	elapsed := time.Since(began).Seconds()
	var spent syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &spent); err != nil {
		panic(err)
	}
	told := map[string]interface{}{
		"answered": answered, "seconds": elapsed, "cpu_seconds": seconds(spent.Utime) + seconds(spent.Stime),
	}
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		panic(err)
	}
}
