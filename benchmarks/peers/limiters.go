// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// golang.org/x/time/rate and github.com/juju/ratelimit, measured as weir's own programs measure: chunks of 512
// decisions, the median chunk of a window, the contenders in turn. A chunk is stamped with Go's monotonic clock.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/juju/ratelimit"
	"golang.org/x/time/rate"
)

const chunk = 512

type contender struct {
	library, name string
	begin         func() func() bool // a new limiter, and its decision
	expected      bool
}

type window struct {
	ns, perSecond float64
}

func measure(c contender, threads int, length time.Duration) window {
	decide := c.begin()
	var go_, stop atomic.Bool
	var ready, done sync.WaitGroup
	chunks := make([][]float64, threads)
	rates := make([]float64, threads)
	for i := 0; i < threads; i++ {
		ready.Add(1)
		done.Add(1)
		go func(i int) {
			defer done.Done()
			runtime.LockOSThread()
			mine := make([]float64, 0, 1<<15)
			run := func() {
				for k := 0; k < chunk; k++ {
					if decide() != c.expected {
						fmt.Fprintln(os.Stderr, c.name, "came out otherwise")
						os.Exit(1)
					}
				}
			}
			run()
			ready.Done()
			for !go_.Load() {
			}
			begin := time.Now()
			before, n := begin, 0
			for !stop.Load() {
				run()
				after := time.Now()
				if len(mine) < cap(mine) {
					mine = append(mine, float64(after.Sub(before).Nanoseconds()))
				}
				before = after
				n += chunk
			}
			rates[i] = float64(n) / before.Sub(begin).Seconds()
			chunks[i] = mine
		}(i)
	}
	ready.Wait()
	go_.Store(true)
	time.Sleep(length)
	stop.Store(true)
	done.Wait()
	var w window
	var all []float64
	for i := range chunks {
		w.perSecond += rates[i]
		all = append(all, chunks[i]...)
	}
	w.ns = median(all) / chunk
	return w
}

func median(v []float64) float64 {
	sort.Float64s(v)
	return v[len(v)/2]
}

func main() {
	turns, length := 5, 20*time.Millisecond
	most, _ := strconv.Atoi(os.Args[1])
	x := func(r rate.Limit, burst int) func() func() bool {
		return func() func() bool {
			l := rate.NewLimiter(r, burst)
			return l.Allow
		}
	}
	drainedX := func() func() bool {
		l := rate.NewLimiter(1e-4, 1)
		l.Allow()
		return l.Allow
	}
	juju := func() func() bool {
		b := ratelimit.NewBucketWithRate(1e9, 1000000000)
		return func() bool { return b.TakeAvailable(1) == 1 }
	}
	drainedJuju := func() func() bool {
		b := ratelimit.NewBucket(24*time.Hour, 1)
		b.TakeAvailable(1)
		return func() bool { return b.TakeAvailable(1) == 1 }
	}
	contenders := []contender{
		{"golang.org/x/time/rate", "allow", x(1e9, 1000000000), true},
		{"golang.org/x/time/rate", "deny", drainedX, false},
		{"juju/ratelimit", "allow", juju, true},
		{"juju/ratelimit", "deny", drainedJuju, false},
	}
	comma := ""
	fmt.Print("[")
	for threads := 1; threads <= most; threads++ {
		ns := make([][]float64, len(contenders))
		perSecond := make([][]float64, len(contenders))
		for turn := 0; turn < turns; turn++ {
			for i := range contenders {
				k := (i + turn) % len(contenders)
				w := measure(contenders[k], threads, length)
				ns[k] = append(ns[k], w.ns)
				perSecond[k] = append(perSecond[k], w.perSecond)
			}
		}
		for k, c := range contenders {
			fmt.Printf("%s\n{\"library\": %q, \"name\": %q, \"threads\": %d, \"ns\": %.3f, \"per_second\": %.0f}", comma,
				c.library, c.name, threads, median(ns[k]), median(perSecond[k]))
			comma = ","
		}
	}
	fmt.Println("]")
}
