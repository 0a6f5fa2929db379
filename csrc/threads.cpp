/* A pool of threads that sleep when there is nothing to do. See threads.h for the contract.
 *
 * Built with TF_OPENMP, OpenMP takes the place of the pool. The pool is the default because of what it does on a
 * machine that is not ours alone: the caller that asks for work starts at once, and at the end waits only for threads that hold
 * a piece of it. A thread that another program keeps from its core is simply not there, where OpenMP's barrier would
 * wait for it.
 */
#include "threads.h"

#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#define TF_HAVE_FORK 1
#endif

namespace tf {
namespace {

/* How many processors this process may use: fewer than there are where taskset or a container says so. */
int processors() {
#ifdef __linux__
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
#endif
    return (int)std::thread::hardware_concurrency();
}

int threads_at_start() {
    const char *wanted = getenv("TINYFORMER_NUM_THREADS");
    int n = wanted ? atoi(wanted) : 0;
    if (n < 1) n = processors();
    return n < 1 ? 1 : n;
}

std::atomic<int> limit{threads_at_start()};

/* A child of fork has this thread alone, and locks in an unknown state, so it computes on one thread. */
std::atomic<bool> forked{false};

thread_local bool working = false; /* inside a body: what it calls must not wait for the pool that runs it */

void plain_loop(int64_t n, Body body, void *context) {
    for (int64_t i = 0; i < n; i++) body(context, i);
}

/* Run one body; false if it found no memory. No exception may leave the thread: the caller throws it
 * again. */
bool finished(Body body, void *context, int64_t i) {
    try {
        body(context, i);
        return true;
    } catch (const std::bad_alloc &) { return false; }
}

#ifdef TF_HAVE_FORK
/* From the moment the library is loaded: later, another thread might be in the middle of this when the fork comes. */
[[maybe_unused]] const int watched = pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif

#ifndef TF_OPENMP

void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

/* How long a worker looks for the next job before it sleeps. To wake a thread takes longer than a small job, and in
 * training the next one comes after some 50 µs of Python; but a loop that waits is time stolen from other programs. So
 * a worker that was off its core while it looked, since another program was on it, sleeps at once, and looks only briefly
 * until that pays again. */
constexpr auto longest_look = microseconds(250), shortest_look = microseconds(5), off_core = microseconds(30);

class Pool {
public:
    /* One job at a time. False: the pool is taken. */
    bool run(int64_t n, Body body, void *context) {
        if (!owner_.try_lock()) return false;
        std::lock_guard<std::mutex> owner(owner_, std::adopt_lock);
        const int helpers = hire((int)std::min<int64_t>(limit - 1, n - 1));
        body_ = body, context_ = context, helpers_ = helpers, no_memory_ = false;
        while ((int)shares_.size() <= helpers) shares_.emplace_back(new Share);
        for (int t = 0; t <= helpers; t++) {
            shares_[t]->next.store(n * t / (helpers + 1), std::memory_order_relaxed);
            shares_[t]->end = n * (t + 1) / (helpers + 1);
        }
        gate_.store((gate_.load(std::memory_order_relaxed) | low_bits) + 1 + open); /* next job, no worker in, open */
        if (asleep_.load() > 0) {
            keep_off_this_core();
            std::lock_guard<std::mutex> lock(sleep_);
            wake_.notify_all();
        }
        working = true;
        take(0);
        working = false;
        gate_.fetch_and(~open); /* no further worker may enter */
        for (int look = 0; gate_.load(std::memory_order_acquire) & count; look++)
            if (look < 1500) pause();
            else std::this_thread::yield();
        if (no_memory_) throw std::bad_alloc();
        return true;
    }

private:
    /* Start workers up to this number; returns how many there are, fewer if the system gives no
     * more. */
    int hire(int wanted) {
        workers_.reserve(wanted);
        try {
            while ((int)workers_.size() < wanted) {
                std::thread worker(&Pool::work, this, (int)workers_.size());
                workers_.push_back(worker.native_handle());
                worker.detach();
            }
        } catch (const std::system_error &) {}
        return std::min(wanted, (int)workers_.size());
    }

    /* Linux likes to wake a thread on the core of the thread that wakes it, above all if other programs are on the others.
     * There it would wait until we are done. So workers may be where we may be, but not where we are: what the user
     * allows this thread holds for them too. If there is but one core for us, they stay as they are. */
    void keep_off_this_core() {
#ifdef __linux__
        cpu_set_t others;
        const int here = sched_getcpu();
        if (here < 0 || sched_getaffinity(0, sizeof others, &others)) return;
        CPU_CLR(here, &others);
        if (CPU_COUNT(&others) == 0 || (told_ == workers_.size() && CPU_EQUAL(&others, &others_))) return;
        for (auto worker : workers_) pthread_setaffinity_np(worker, sizeof others, &others);
        others_ = others, told_ = workers_.size();
#endif
    }

    /* The gate: which job (high bits), whether one may come in (one bit), how many are in (low bits). */
    static constexpr uint64_t open = 1 << 16, count = open - 1, low_bits = 2 * open - 1;

    /* Everyone begins with a share of their own, the same part of each job: what a thread wrote in one job it reads in
     * the next, and finds in its own cache. Then they help the others. */
    struct alignas(64) Share {
        std::atomic<int64_t> next{0};
        int64_t end = 0;
    };

    void take(int me) {
        for (int t = 0; t <= helpers_; t++) {
            Share &share = *shares_[(me + t) % (helpers_ + 1)];
            for (int64_t i; (i = share.next.fetch_add(1, std::memory_order_relaxed)) < share.end;)
                if (!finished(body_, context_, i)) no_memory_ = true;
        }
    }

    void work(int me) {
        working = true;
        Clock::duration patience = longest_look;
        for (uint64_t seen = 0;;) {
            uint64_t gate = look_for_news(seen, patience);
            if (!news(gate, seen)) {
                std::unique_lock<std::mutex> lock(sleep_);
                asleep_.fetch_add(1); /* first say that we sleep, then look once more: no wake-up is lost */
                wake_.wait(lock, [&] { return news(gate = gate_.load(), seen); });
                asleep_.fetch_sub(1);
            }
            if (!gate_.compare_exchange_weak(gate, gate + 1)) continue;
            seen = gate / (2 * open);
            if (me < helpers_) take(me + 1);
            gate_.fetch_sub(1, std::memory_order_release);
        }
    }

    /* The gate, with news or without. */
    uint64_t look_for_news(uint64_t seen, Clock::duration &patience) {
        const auto began = Clock::now();
        for (auto last = began;;) {
            uint64_t gate = 0;
            for (int look = 0; look < 32; look++) {
                gate = gate_.load(std::memory_order_acquire);
                if (news(gate, seen)) {
                    patience = std::min<Clock::duration>(2 * patience, longest_look);
                    return gate;
                }
                pause();
            }
            const auto now = Clock::now();
            if (now - last > off_core) patience = shortest_look;
            if (now - began > patience) return gate;
            last = now;
        }
    }

    static bool news(uint64_t gate, uint64_t seen) { return (gate & open) && gate / (2 * open) != seen; }

    std::mutex owner_, sleep_;
    std::condition_variable wake_;
    std::vector<std::thread::native_handle_type> workers_;
#ifdef __linux__
    cpu_set_t others_; /* where the workers may be, and how many of them have been told */
    size_t told_ = 0;
#endif
    std::atomic<int> asleep_{0};
    std::atomic<bool> no_memory_{false};
    std::atomic<uint64_t> gate_{0};
    std::vector<std::unique_ptr<Share>> shares_;
    Body body_ = nullptr;
    void *context_ = nullptr;
    int helpers_ = 0;
};

Pool &pool() {
    static Pool *const pool = new Pool; /* never destroyed: its threads may outlive every destructor */
    return *pool;
}
#endif

/* A thread's blocks of memory; freed with the thread. */
struct Blocks {
    static constexpr int slots = 8;
    void *start[slots] = {};
    size_t bytes[slots] = {};
    ~Blocks() {
        for (void *block : start) free(block);
    }
};

thread_local Blocks blocks;

}  // namespace

void parallel(int64_t n, Body body, void *context) {
    if (n <= 1 || limit == 1 || working || forked) return plain_loop(n, body, context);
#ifdef TF_OPENMP
    std::atomic<bool> no_memory{false};
    int64_t i;
#pragma omp parallel for schedule(dynamic, 1) num_threads(limit < n ? (int)limit : (int)n)
    for (i = 0; i < n; i++) {
        working = true;
        if (!finished(body, context, i)) no_memory = true;
        working = false;
    }
    if (no_memory) throw std::bad_alloc();
#else
    if (!pool().run(n, body, context)) plain_loop(n, body, context);
#endif
}

void *scratch(int slot, size_t bytes) {
    Blocks &mine = blocks;
    if (bytes > mine.bytes[slot]) {
        free(mine.start[slot]);
        mine.start[slot] = nullptr, mine.bytes[slot] = 0;
        void *block = malloc(bytes + 128);
        if (!block) throw std::bad_alloc();
        mine.start[slot] = block, mine.bytes[slot] = bytes;
    }
    return (void *)(((uintptr_t)mine.start[slot] + 63) / 64 * 64);
}

const char *threading() {
#ifdef TF_OPENMP
    return "openmp";
#else
    return "pool";
#endif
}

int num_threads() { return limit; }
void set_num_threads(int n) { limit = n; }

}  // namespace tf
