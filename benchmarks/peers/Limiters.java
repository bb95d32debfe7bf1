// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// Guava's RateLimiter, measured as weir's own programs measure: chunks of 512 decisions, the median chunk of a window,
// the contenders in turn, after a second in which the compiler learns what is hot.

import com.google.common.util.concurrent.RateLimiter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

final class Limiters {
    static final int CHUNK = 512;

    record Contender(String name, Supplier<BooleanSupplier> begin, boolean expected) {}

    record Window(double ns, double perSecond) {}

    static void run(BooleanSupplier decide, boolean expected) {
        boolean good = true;
        for (int k = 0; k < CHUNK; ++k) good &= decide.getAsBoolean() == expected;
        if (!good) throw new IllegalStateException("came out otherwise");
    }

    static Window measure(Contender c, int threads, long milliseconds) throws InterruptedException {
        BooleanSupplier decide = c.begin().get();
        var go = new CountDownLatch(1);
        var ready = new CountDownLatch(threads);
        var stop = new AtomicBoolean();
        var chunks = new double[threads][];
        var rates = new double[threads];
        List<Thread> running = new ArrayList<>();
        for (int i = 0; i < threads; ++i) {
            int me = i;
            running.add(new Thread(() -> {
                var mine = new double[1 << 15];
                int used = 0;
                run(decide, c.expected());
                ready.countDown();
                try {
                    go.await();
                } catch (InterruptedException e) {
                    return;
                }
                long begin = System.nanoTime(), before = begin, n = 0;
                while (!stop.getOpaque()) {
                    run(decide, c.expected());
                    long after = System.nanoTime();
                    if (used < mine.length) mine[used++] = after - before;
                    before = after;
                    n += CHUNK;
                }
                rates[me] = n / ((before - begin) * 1e-9);
                chunks[me] = Arrays.copyOf(mine, used);
            }));
        }
        for (var t : running) t.start();
        ready.await();
        go.countDown();
        Thread.sleep(milliseconds);
        stop.set(true);
        for (var t : running) t.join();
        return new Window(median(Arrays.stream(chunks).flatMapToDouble(Arrays::stream).toArray()) / CHUNK,
                Arrays.stream(rates).sum());
    }

    static double median(double[] v) {
        Arrays.sort(v);
        return v[v.length / 2];
    }

    /** The permits of a second are on hand only after a second of rest; at this rate none of them is needed. */
    static BooleanSupplier allow() {
        var l = RateLimiter.create(1e9);
        return l::tryAcquire;
    }

    static BooleanSupplier deny() {
        var l = RateLimiter.create(1e-5);
        l.tryAcquire();
        return l::tryAcquire;
    }

    public static void main(String[] arguments) throws InterruptedException {
        int most = Integer.parseInt(arguments[0]), turns = 5;
        var contenders = List.of(new Contender("allow", Limiters::allow, true),
                new Contender("deny", Limiters::deny, false));
        for (int i = 0; i < 20; ++i)
            for (var c : contenders) measure(c, 1, 25);
        var out = new StringBuilder("[");
        for (int threads = 1; threads <= most; ++threads) {
            var ns = new double[contenders.size()][turns];
            var perSecond = new double[contenders.size()][turns];
            for (int turn = 0; turn < turns; ++turn) {
                for (int i = 0; i < contenders.size(); ++i) {
                    int k = (i + turn) % contenders.size();
                    var w = measure(contenders.get(k), threads, 20);
                    ns[k][turn] = w.ns();
                    perSecond[k][turn] = w.perSecond();
                }
            }
            for (int k = 0; k < contenders.size(); ++k) {
                out.append(String.format("%s%n{\"library\": \"Guava RateLimiter\", \"name\": \"%s\", \"threads\": %d, "
                        + "\"ns\": %.3f, \"per_second\": %.0f}", out.length() > 1 ? "," : "",
                        contenders.get(k).name(), threads, median(ns[k]), median(perSecond[k])));
            }
        }
        System.out.println(out.append("]"));
    }
}
