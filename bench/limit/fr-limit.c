/*
 * fr-limit: the yard-stick. How fast can this machine do FastReplica's bare data movement?
 *
 * An origin and n nodes on loopback, in a few worker processes. The origin sends subfile i to node
 * i; node i lands it in its own copy and, while it still arrives, forwards it to the n - 1 others.
 * So every node ends with the whole file. A sender moves file -> 1 MiB pipe -> socket, a receiver
 * socket -> 1 MiB pipe -> file, both with splice: the page cache is the relay buffer, and a
 * watermark per node says how far a forwarder may read.
 *
 * With --verify-hash every node also verifies what it has landed, as the product does: it reads the
 * bytes back in steps of 256 KiB and hashes them by XXH64 in blocks of 64 KiB; the origin hashes
 * its file once. The sums of all nodes must equal the origin's.
 *
 * It is an upper bound to measure against, never an implementation: no protocol, no fsync, and
 * every connection is made before the clock starts.
 *
 *   cc -O2 -o fr-limit fr-limit.c
 *   fr-limit --nodes 4 --size 1G --source FILE --output DIR
 *   fr-limit --warm 4G --output DIR       only keeps memory warm for files that grow in DIR
 *
 * One JSON line on stdout. Exit status: 0, 1 (a run failed or a copy differs), 2 (usage).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  MAX_NODES = 16,
  MAX_WORKERS = 16,
  MAX_RUNS = 64,
  MAX_INLETS = MAX_NODES * MAX_NODES,
  MAX_OUTLETS = MAX_NODES * MAX_NODES,
  PIPE_BYTES = 1 << 20,
  PAGE_BYTES = 4096,
  HASH_STEP_BYTES = 256 << 10,
  HASH_BLOCK_BYTES = 64 << 10,
  WARM_STEP_BYTES = 64 << 20,
  WARM_AHEAD_BYTES = 256 << 20,
  WARM_LOOK_MS = 3,
  IDLE_MS = 20 * 1000,
  PATH_BYTES = 4096,
};

struct options {
  int nodes;
  int workers;
  int runs;
  off_t size;
  size_t warm;
  const char* source;
  const char* output;
  const char* congestion;
  bool overwrite;
  bool verify;
  bool verify_hash;
};

/* The two ends of one connection. */
struct link {
  int sender;
  int receiver;
};

/* links[i][j] goes from node i to node j; the row after the last node is the origin's. */
static struct link links[MAX_NODES + 1][MAX_NODES];

struct run_result {
  double seconds;
  double cpu_seconds;
};

/* --- small things --- */

static void fail(const char* format, ...) {
  int error = errno;
  va_list arguments;
  va_start(arguments, format);
  fputs("fr-limit: ", stderr);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, ": %s\n", strerror(error));
  _exit(1);
}

static double monotonic_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double seconds_of(struct timeval time) {
  return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* Block digests of the source and of each copy, added up; shared by all workers. */
static uint64_t* digest_sums;

static void copy_path(const struct options* options, int node, char* path) {
  snprintf(path, PATH_BYTES, "%s/fr-limit.%d", options->output, node);
}

static void remove_copies(const struct options* options) {
  char path[PATH_BYTES];
  for (int node = 0; node < options->nodes; node++) {
    copy_path(options, node, path);
    unlink(path);
  }
}

static void make_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) < 0) fail("pipe");
  if (fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) < PIPE_BYTES) fail("a pipe of 1 MiB");
}

/* Equal subfiles on page borders; the last one takes the rest. */
static off_t subfile_start(const struct options* options, int index) {
  if (index == options->nodes) return options->size;
  return (options->size / options->nodes / PAGE_BYTES) * PAGE_BYTES * index;
}

/* --- connections --- */

static int tcp_socket(const struct options* options) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  const char* name = options->congestion;
  socklen_t length = (socklen_t)strlen(name);
  if (length > 0 && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, length) < 0)
    fail("congestion control %s", name);
  return fd;
}

/* What the listener was set to, the accepted socket inherits. */
static int open_listener(const struct options* options, struct sockaddr_in* address) {
  socklen_t length = sizeof *address;
  int fd = tcp_socket(options);
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr*)address, length) < 0 || listen(fd, 1) < 0 ||
      getsockname(fd, (struct sockaddr*)address, &length) < 0)
    fail("listen");
  return fd;
}

static struct link connect_link(const struct options* options, int listener,
                                const struct sockaddr_in* address) {
  struct link made = {.sender = tcp_socket(options)};
  if (connect(made.sender, (const struct sockaddr*)address, sizeof *address) < 0) fail("connect");
  made.receiver = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (made.receiver < 0) fail("accept");
  if (fcntl(made.sender, F_SETFL, O_NONBLOCK) < 0) fail("O_NONBLOCK");
  return made;
}

static void connect_all(const struct options* options) {
  struct sockaddr_in address;
  int listener = open_listener(options, &address);
  for (int from = 0; from <= options->nodes; from++)
    for (int to = 0; to < options->nodes; to++)
      if (from != to) links[from][to] = connect_link(options, listener, &address);
  close(listener);
}

static void close_all(const struct options* options) {
  for (int from = 0; from <= options->nodes; from++)
    for (int to = 0; to < options->nodes; to++)
      if (from != to) {
        close(links[from][to].sender);
        close(links[from][to].receiver);
      }
}

/* --- XXH64, seed and input as in the reference --- */

static const uint64_t P1 = 0x9E3779B185EBCA87u, P2 = 0xC2B2AE3D27D4EB4Fu, P3 = 0x165667B19E3779F9u,
                      P4 = 0x85EBCA77C2B2AE63u, P5 = 0x27D4EB2F165667C5u;

static uint64_t rotated(uint64_t value, int bits) { return value << bits | value >> (64 - bits); }

static uint64_t word_at(const unsigned char* at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static uint64_t mixed(uint64_t lane, uint64_t word) { return rotated(lane + word * P2, 31) * P1; }

static uint64_t merged(uint64_t hash, uint64_t lane) { return (hash ^ mixed(0, lane)) * P1 + P4; }

static uint64_t xxh64(const unsigned char* at, size_t bytes, uint64_t seed) {
  const unsigned char* const end = at + bytes;
  uint64_t hash = seed + P5;
  if (bytes >= 32) {
    uint64_t a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1;
    for (; end - at >= 32; at += 32) {
      a = mixed(a, word_at(at));
      b = mixed(b, word_at(at + 8));
      c = mixed(c, word_at(at + 16));
      d = mixed(d, word_at(at + 24));
    }
    hash = rotated(a, 1) + rotated(b, 7) + rotated(c, 12) + rotated(d, 18);
    hash = merged(merged(merged(merged(hash, a), b), c), d);
  }
  hash += bytes;
  for (; end - at >= 8; at += 8) hash = rotated(hash ^ mixed(0, word_at(at)), 27) * P1 + P4;
  if (end - at >= 4) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    hash = rotated(hash ^ value * P1, 23) * P2 + P3;
    at += 4;
  }
  for (; at < end; at++) hash = rotated(hash ^ *at * P5, 11) * P1;
  hash = (hash ^ hash >> 33) * P2;
  hash = (hash ^ hash >> 29) * P3;
  return hash ^ hash >> 32;
}

/* A subfile that is verified while it grows. */
struct check {
  int file;
  off_t position;
  off_t end;
  uint64_t* sum; /* NULL: nothing is verified */
};

static void hash_step(struct check* check, size_t bytes) {
  static unsigned char buffer[HASH_STEP_BYTES];
  if (pread(check->file, buffer, bytes, check->position) != (ssize_t)bytes) fail("reading back");
  uint64_t sum = 0;
  for (size_t at = 0; at < bytes; at += HASH_BLOCK_BYTES)
    sum += xxh64(buffer + at, smaller(HASH_BLOCK_BYTES, bytes - at), 0) ^
           (uint64_t)(check->position + (off_t)at);
  __atomic_fetch_add(check->sum, sum, __ATOMIC_RELAXED);
  check->position += (off_t)bytes;
}

/* Verifies up to a position, in whole steps but for the last. */
static void hash_up_to(struct check* check, off_t position) {
  if (check->sum == NULL) return;
  while (position - check->position >= HASH_STEP_BYTES) hash_step(check, HASH_STEP_BYTES);
  if (position == check->end && check->position < position)
    hash_step(check, (size_t)(position - check->position));
}

/* --- one worker: an epoll loop over its share of the nodes and of the origin's feeds --- */

/* Reads one subfile from a connection into a copy. */
struct inlet {
  int fd;
  int file;
  off_t position;
  off_t end;
  off_t* watermark; /* raised while landing; NULL where nobody forwards these bytes */
  struct check check;
};

/* Sends one subfile from a file to a connection, never past the watermark (the origin's is its
 * whole file). */
struct outlet {
  int fd;
  int file;
  int pipe[2];
  size_t piped; /* bytes that have left the file and not yet the pipe */
  off_t position;
  off_t end;
  const off_t* watermark;
  bool writable;
  struct check check; /* of the origin's feeds alone */
};

struct worker {
  int epoll;
  int unfinished;
  int pipe[2]; /* shared by all inlets: it is empty between two steps */
  int inlets;
  int outlets;
  struct inlet inlet[MAX_INLETS];
  struct outlet outlet[MAX_OUTLETS];
  off_t watermark[MAX_NODES + 1];
};

static struct worker worker;

static void watch(int fd, uint32_t events, uint64_t index) {
  struct epoll_event event = {.events = events, .data.u64 = index};
  if (epoll_ctl(worker.epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
  worker.unfinished++;
}

static void unwatch(int fd) {
  epoll_ctl(worker.epoll, EPOLL_CTL_DEL, fd, NULL);
  worker.unfinished--;
}

/* Inlets and outlets share the number space of epoll: outlets come after the last inlet. */
static void add_inlet(struct inlet inlet) {
  watch(inlet.fd, EPOLLIN, (uint64_t)worker.inlets);
  worker.inlet[worker.inlets++] = inlet;
}

static void add_outlet(struct outlet outlet) {
  make_pipe(outlet.pipe);
  watch(outlet.fd, EPOLLOUT | EPOLLET, (uint64_t)(MAX_INLETS + worker.outlets));
  worker.outlet[worker.outlets++] = outlet;
}

static void drain_into_file(const struct inlet* inlet, size_t bytes) {
  loff_t offset = inlet->position;
  while (bytes > 0) {
    ssize_t moved = splice(worker.pipe[0], NULL, inlet->file, &offset, bytes, 0);
    if (moved <= 0) fail("splice into the copy");
    bytes -= (size_t)moved;
  }
}

static void land(struct inlet* inlet) {
  size_t wanted = smaller(PIPE_BYTES, (size_t)(inlet->end - inlet->position));
  ssize_t got = splice(inlet->fd, NULL, worker.pipe[1], NULL, wanted, SPLICE_F_NONBLOCK);
  if (got < 0 && errno == EAGAIN) return;
  if (got == 0) errno = ECONNRESET;
  if (got <= 0) fail("splice from a connection");
  drain_into_file(inlet, (size_t)got);
  inlet->position += got;
  if (inlet->watermark != NULL) *inlet->watermark = inlet->position;
  hash_up_to(&inlet->check, inlet->position);
  if (inlet->position == inlet->end) unwatch(inlet->fd);
}

static void fill_pipe(struct outlet* outlet, off_t limit) {
  loff_t offset = outlet->position;
  size_t wanted = smaller(PIPE_BYTES, (size_t)(limit - outlet->position));
  ssize_t moved = splice(outlet->file, &offset, outlet->pipe[1], NULL, wanted, 0);
  if (moved <= 0) fail("splice from the file");
  outlet->position += moved;
  outlet->piped = (size_t)moved;
}

/* Sends what the pipe holds. MORE on all but the last piece lets the kernel fill its segments. */
static void empty_pipe(struct outlet* outlet) {
  unsigned flags = SPLICE_F_NONBLOCK | (outlet->position < outlet->end ? SPLICE_F_MORE : 0);
  ssize_t moved = splice(outlet->pipe[0], NULL, outlet->fd, NULL, outlet->piped, flags);
  if (moved > 0) {
    outlet->piped -= (size_t)moved;
    return;
  }
  if (moved == 0 || errno != EAGAIN) fail("splice into a connection");
  outlet->writable = false;
}

static void pump(struct outlet* outlet) {
  off_t limit = *outlet->watermark < outlet->end ? *outlet->watermark : outlet->end;
  while (outlet->writable && (outlet->piped > 0 || outlet->position < limit)) {
    if (outlet->piped == 0) fill_pipe(outlet, limit);
    empty_pipe(outlet);
    hash_up_to(&outlet->check, outlet->position);
    if (outlet->piped == 0 && outlet->position == outlet->end) {
      unwatch(outlet->fd);
      outlet->writable = false;
    }
  }
}

static void loop(void) {
  struct epoll_event events[64];
  while (worker.unfinished > 0) {
    int count = epoll_wait(worker.epoll, events, 64, IDLE_MS);
    if (count == 0) errno = ETIMEDOUT;
    if (count <= 0) fail("waiting");
    for (int i = 0; i < count; i++) {
      uint64_t index = events[i].data.u64;
      if (index < MAX_INLETS)
        land(&worker.inlet[index]);
      else
        worker.outlet[index - MAX_INLETS].writable = true;
    }
    for (int i = 0; i < worker.outlets; i++) pump(&worker.outlet[i]);
  }
}

/* The verification of subfile `index` in a file; the sum of the source comes after the nodes'. */
static struct check check_of(const struct options* options, int file, int index, int sum) {
  return (struct check){
      .file = file,
      .position = subfile_start(options, index),
      .end = subfile_start(options, index + 1),
      .sum = options->verify_hash ? &digest_sums[sum] : NULL,
  };
}

static void add_origin_feed(const struct options* options, int source, int to) {
  worker.watermark[options->nodes] = options->size;
  add_outlet((struct outlet){
      .fd = links[options->nodes][to].sender,
      .file = source,
      .position = subfile_start(options, to),
      .end = subfile_start(options, to + 1),
      .watermark = &worker.watermark[options->nodes],
      .writable = true,
      .check = check_of(options, source, to, options->nodes),
  });
}

static void add_node(const struct options* options, int self) {
  char path[PATH_BYTES];
  copy_path(options, self, path);
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) fail("%s", path);
  off_t start = subfile_start(options, self), end = subfile_start(options, self + 1);
  worker.watermark[self] = start;
  for (int mate = 0; mate < options->nodes; mate++) {
    bool own = mate == self; /* the own subfile comes from the origin and is the one to forward */
    add_inlet((struct inlet){
        .fd = links[own ? options->nodes : mate][self].receiver,
        .file = file,
        .position = subfile_start(options, mate),
        .end = subfile_start(options, mate + 1),
        .watermark = own ? &worker.watermark[self] : NULL,
        .check = check_of(options, file, mate, self),
    });
    if (own) continue;
    add_outlet((struct outlet){
        .fd = links[self][mate].sender,
        .file = file,
        .position = start,
        .end = end,
        .watermark = &worker.watermark[self],
        .writable = true,
    });
  }
}

/* The origin's feeds are spread the other way round, so that a feed and the node it leads to are
 * in different workers where there are two. */
static void run_worker(const struct options* options, int index) {
  worker.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (worker.epoll < 0) fail("epoll_create1");
  make_pipe(worker.pipe);
  int source = open(options->source, O_RDONLY | O_CLOEXEC);
  if (source < 0) fail("%s", options->source);
  for (int node = 0; node < options->nodes; node++) {
    if (node % options->workers == index) add_node(options, node);
    if ((options->nodes - 1 - node) % options->workers == index)
      add_origin_feed(options, source, node);
  }
  loop();
}

/* --- runs --- */

/* Whatever ends the program ends its children; it may have gone before this line. */
static void end_with(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(1);
}

/*
 * First touch of guest memory is slow in virtual machines and is not what is measured. Such a
 * machine also gives memory that is free back to its host within a second or two, so touching and
 * freeing it before a run is not enough. The warmer holds touched memory and releases it step by
 * step, always a little ahead of what the files in the output directory have grown by: their new
 * pages are then pages that were touched a moment ago.
 */
static off_t used_bytes(const char* directory) {
  struct statvfs status;
  if (statvfs(directory, &status) < 0) fail("%s", directory);
  return (off_t)(status.f_blocks - status.f_bfree) * (off_t)status.f_frsize;
}

/* Waits for a moment, or for ever with -1. True once whoever writes to the file has closed it. */
static bool has_ended(int fd, int timeout_ms) {
  struct pollfd watched = {.fd = fd, .events = POLLIN};
  char ignored[256];
  return poll(&watched, 1, timeout_ms) > 0 && read(fd, ignored, sizeof ignored) <= 0;
}

/* Returns when the other end of `lifeline` is closed. `tell` is called once everything has been
 * touched. */
static void keep_warm(const struct options* options, int lifeline, void (*tell)(void)) {
  size_t bytes = options->warm;
  char* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("memory to warm");
  madvise(memory, bytes, MADV_HUGEPAGE);
  for (size_t at = 0; at < bytes; at += PAGE_BYTES) memory[at] = 1;
  off_t start = used_bytes(options->output);
  tell();
  for (size_t released = 0; released < bytes;) {
    off_t goal = used_bytes(options->output) - start + WARM_AHEAD_BYTES;
    while (released < bytes && (off_t)released < goal) {
      size_t step = smaller(WARM_STEP_BYTES, bytes - released);
      munmap(memory + released, step);
      released += step;
    }
    if (has_ended(lifeline, WARM_LOOK_MS)) return;
  }
  while (!has_ended(lifeline, -1)) continue;
}

struct warmer {
  pid_t pid;
  int lifeline;
};

static int told;

static void tell_parent(void) {
  if (write(told, "", 1) != 1) fail("the warmer");
}

/* A process that keeps memory warm for one run; ready when this returns. */
static struct warmer start_warmer(const struct options* options) {
  if (options->warm == 0) return (struct warmer){0};
  int lifeline[2], ready[2];
  if (pipe2(lifeline, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0) fail("pipe");
  pid_t self = getpid(), pid = fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {
    end_with(self);
    close(lifeline[1]);
    close(ready[0]);
    told = ready[1];
    keep_warm(options, lifeline[0], tell_parent);
    _exit(0);
  }
  close(lifeline[0]);
  close(ready[1]);
  char byte;
  if (read(ready[0], &byte, 1) != 1) fail("the warmer");
  close(ready[0]);
  return (struct warmer){.pid = pid, .lifeline = lifeline[1]};
}

static void stop_warmer(struct warmer warmer) {
  if (warmer.pid == 0) return;
  close(warmer.lifeline);
  waitpid(warmer.pid, NULL, 0);
}

static void say_ready(void) {
  puts("{\"ready\":true}");
  fflush(stdout);
}

/* Waits for every worker and returns their CPU seconds; the first failure ends the others. Only
 * workers end before that: the warmer waits to be told. */
static double reap(const pid_t* pids, int count) {
  double cpu_seconds = 0;
  bool failed = false;
  for (int left = count; left > 0; left--) {
    int status;
    struct rusage usage;
    if (wait4(-1, &status, 0, &usage) < 0) fail("wait4");
    cpu_seconds += seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    if (status == 0 || failed) continue;
    failed = true;
    for (int i = 0; i < count; i++) kill(pids[i], SIGKILL);
  }
  return failed ? -1 : cpu_seconds;
}

static bool sums_are_equal(const struct options* options) {
  for (int node = 0; options->verify_hash && node < options->nodes; node++) {
    if (digest_sums[node] == digest_sums[options->nodes]) continue;
    fprintf(stderr, "fr-limit: the digests of node %d differ\n", node);
    return false;
  }
  return true;
}

static struct run_result run_once(const struct options* options) {
  if (!options->overwrite) remove_copies(options);
  memset(digest_sums, 0, (size_t)(options->nodes + 1) * sizeof *digest_sums);
  struct warmer warmer = start_warmer(options);
  connect_all(options);
  pid_t pids[MAX_WORKERS];
  const pid_t self = getpid();
  double start = monotonic_seconds();
  for (int index = 0; index < options->workers; index++) {
    pids[index] = fork();
    if (pids[index] < 0) fail("fork");
    if (pids[index] == 0) {
      end_with(self);
      run_worker(options, index);
      _exit(0);
    }
  }
  struct run_result result = {.cpu_seconds = reap(pids, options->workers)};
  result.seconds = monotonic_seconds() - start;
  stop_warmer(warmer);
  close_all(options);
  if (!sums_are_equal(options)) result.cpu_seconds = -1;
  return result;
}

static const char* map_file(const char* path, off_t size) {
  struct stat status;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) < 0) fail("%s", path);
  if (status.st_size < size) return NULL;
  const char* bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) fail("%s", path);
  close(fd);
  return bytes;
}

static bool copies_are_equal(const struct options* options) {
  char path[PATH_BYTES];
  size_t size = (size_t)options->size;
  const char* source = map_file(options->source, options->size);
  bool equal = source != NULL;
  for (int node = 0; node < options->nodes && equal; node++) {
    copy_path(options, node, path);
    const char* copy = map_file(path, options->size);
    equal = copy != NULL && memcmp(source, copy, size) == 0;
    if (!equal) fprintf(stderr, "fr-limit: the copy of node %d differs\n", node);
    if (copy != NULL) munmap((void*)copy, size);
  }
  if (source != NULL) munmap((void*)source, size);
  return equal;
}

static void print_results(const struct options* options, const struct run_result* results) {
  double delivered_gb = (double)options->size * options->nodes / 1e9;
  printf("{\"program\":\"fr-limit\",\"nodes\":%d,\"bytes\":%lld,\"workers\":%d,", options->nodes,
         (long long)options->size, options->workers);
  printf("\"congestion\":\"%s\",\"files\":\"%s\",\"warmBytes\":%zu,\"verified\":%s,",
         options->congestion, options->overwrite ? "existing" : "new", options->warm,
         options->verify ? "true" : "false");
  printf("\"hashed\":%s,\"runs\":[", options->verify_hash ? "true" : "false");
  for (int run = 0; run < options->runs; run++)
    printf("%s{\"seconds\":%.6f,\"deliveredGBPerSecond\":%.4f,\"cpuSecondsPerDeliveredGB\":%.4f}",
           run == 0 ? "" : ",", results[run].seconds, delivered_gb / results[run].seconds,
           results[run].cpu_seconds / delivered_gb);
  puts("]}");
}

static int run_all(const struct options* options) {
  struct run_result results[MAX_RUNS];
  digest_sums = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (digest_sums == MAP_FAILED) fail("shared memory");
  bool good = true;
  for (int run = 0; run < options->runs && good; run++) {
    results[run] = run_once(options);
    good = results[run].cpu_seconds >= 0 && (!options->verify || copies_are_equal(options));
  }
  remove_copies(options);
  if (good) print_results(options, results);
  return good ? 0 : 1;
}

/* --- command line --- */

static const char usage_text[] =
    "usage: fr-limit --nodes N --size SIZE --source FILE --output DIR [options]\n"
    "       fr-limit --warm SIZE --output DIR\n"
    "  --congestion NAME  TCP congestion control (cubic; empty: the system's)\n"
    "  --overwrite        keep the copies between runs, so that their pages exist already\n"
    "  --runs N           (1)\n"
    "  --verify           compare every copy with the source after each run\n"
    "  --verify-hash      every node reads back and hashes what it has landed (XXH64)\n"
    "  --warm SIZE        touch this much memory and release it while the copies grow\n"
    "  --workers N        processes that share the nodes (2)\n"
    "SIZE takes K, M and G (powers of 1024). With --warm and --output alone nothing is sent: memory\n"
    "is kept warm for files that grow in DIR until standard input ends.\n";

static int usage(const char* reason) {
  fprintf(stderr, "fr-limit: %s\n%s", reason, usage_text);
  return 2;
}

static long long parse_size(const char* text) {
  char* rest;
  long long value = strtoll(text, &rest, 10);
  int shift = *rest == 'K' ? 10 : *rest == 'M' ? 20 : *rest == 'G' ? 30 : 0;
  if (rest == text || (shift != 0 && *++rest != '\0') || *rest != '\0') return -1;
  return value < 0 || value > (INT64_MAX >> 30) ? -1 : value << shift;
}

static bool parse_options(int argc, char** argv, struct options* options) {
  static const struct option names[] = {{"nodes", required_argument, NULL, 'n'},
                                        {"size", required_argument, NULL, 's'},
                                        {"source", required_argument, NULL, 'f'},
                                        {"output", required_argument, NULL, 'o'},
                                        {"congestion", required_argument, NULL, 'c'},
                                        {"overwrite", no_argument, NULL, 'x'},
                                        {"runs", required_argument, NULL, 'r'},
                                        {"verify", no_argument, NULL, 'v'},
                                        {"verify-hash", no_argument, NULL, 'H'},
                                        {"warm", required_argument, NULL, 'w'},
                                        {"workers", required_argument, NULL, 'W'},
                                        {NULL, 0, NULL, 0}};
  for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) switch (name) {
      case 'n':
        options->nodes = atoi(optarg);
        break;
      case 's':
        options->size = (off_t)parse_size(optarg);
        break;
      case 'f':
        options->source = optarg;
        break;
      case 'o':
        options->output = optarg;
        break;
      case 'c':
        options->congestion = optarg;
        break;
      case 'x':
        options->overwrite = true;
        break;
      case 'r':
        options->runs = atoi(optarg);
        break;
      case 'v':
        options->verify = true;
        break;
      case 'H':
        options->verify_hash = true;
        break;
      case 'w':
        options->warm = (size_t)parse_size(optarg);
        break;
      case 'W':
        options->workers = atoi(optarg);
        break;
      default:
        return false;
    }
  return optind == argc;
}

int main(int argc, char** argv) {
  struct options options = {.nodes = 0, .workers = 2, .runs = 1, .congestion = "cubic"};
  if (!parse_options(argc, argv, &options)) return usage("that is not how it is called");
  if (options.warm == (size_t)-1) return usage("--warm is not a size");
  if (options.warm > 0 && options.output != NULL && options.nodes == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    keep_warm(&options, STDIN_FILENO, say_ready);
    return 0;
  }
  if (options.nodes < 2 || options.nodes > MAX_NODES) return usage("--nodes is 2 to 16");
  if (options.workers < 1 || options.workers > MAX_WORKERS) return usage("--workers is 1 to 16");
  if (options.runs < 1 || options.runs > MAX_RUNS) return usage("--runs is 1 to 64");
  if (options.size < options.nodes * (off_t)PAGE_BYTES) return usage("--size is too small");
  if (strpbrk(options.congestion, "\"\\") != NULL) return usage("--congestion is not a name");
  if (options.source == NULL || options.output == NULL) return usage("--source or --output?");
  struct stat status;
  if (stat(options.source, &status) < 0 || status.st_size < options.size)
    return usage("the source is missing or shorter than --size");
  if (options.workers > options.nodes) options.workers = options.nodes;
  signal(SIGPIPE, SIG_IGN); /* splice has no MSG_NOSIGNAL */
  return run_all(&options);
}
