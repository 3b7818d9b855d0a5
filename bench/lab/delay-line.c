/*
 * delay-line: a long way between two TUN devices. Linux without netem has no other.
 *
 * What is sent into one device comes out of the other, later: after `delay`, and up to `jitter` more,
 * evenly spread. Each segment is lost with the probability `loss`, by a generator that starts from
 * `--seed`; segments that the sender handed on as one packet are lost together. Packets keep their order unless `--reorder` is given. At most `--queue` packets are under
 * way in each direction, and what comes when there is no room is dropped.
 *
 *   cc -O2 -o delay-line delay-line.c
 *   delay-line [--seed N] [--queue PACKETS] [--reorder] A B  DELAY JITTER LOSS  DELAY JITTER LOSS
 *
 * The first three figures are of the way from A to B, the others of the way back: milliseconds,
 * milliseconds, percent. A line says when both devices are attached; SIGTERM and SIGINT end it, with
 * a line of what came out of each direction, and what was lost or dropped.
 *
 * It sets no rate; that is the work of a queue in front of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { packet_max = 66 << 10, batch = 64, queue_default = 16384, queue_max = 1 << 20 };
/* Packets that are due within so long of one another are sent at one wake. */
enum { grain_ns = 200000 };

struct packet {
  uint64_t due_ns;
  uint64_t number; /* those due at the same time keep their order */
  uint32_t length;
  uint8_t bytes[packet_max];
};

struct way {
  int from, to;
  uint64_t delay_ns, jitter_ns, last_due_ns, number;
  double loss;
  struct packet **due; /* a heap, the earliest first; behind `count` are free packets */
  uint32_t count;
  uint64_t packets, bytes, lost, dropped;
};

static uint64_t random_state;
static uint32_t queue = queue_default;
static int is_ordered = 1;

static void fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("delay-line: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* From 0 to 1, without 1 (splitmix64). */
static double chance(void) {
  uint64_t mixed = random_state += 0x9e3779b97f4a7c15u;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
  return (double)((mixed ^ (mixed >> 31)) >> 11) / 9007199254740992.0;
}

static int is_before(const struct packet *one, const struct packet *other) {
  if (one->due_ns != other->due_ns) return one->due_ns < other->due_ns;
  return one->number < other->number;
}

static void swap(struct packet **due, uint32_t a, uint32_t b) {
  struct packet *kept = due[a];
  due[a] = due[b];
  due[b] = kept;
}

/* Segments that the kernel has not cut yet; one of anything else. */
static uint32_t segments_in(const struct packet *packet) {
  struct virtio_net_hdr head;
  memcpy(&head, packet->bytes, sizeof head);
  if (head.gso_type == VIRTIO_NET_HDR_GSO_NONE || head.gso_size == 0) return 1;
  return (packet->length - head.hdr_len - sizeof head + head.gso_size - 1) / head.gso_size;
}

static int is_lost(const struct way *way, const struct packet *packet) {
  uint32_t segments = segments_in(packet);
  int lost = 0;
  for (uint32_t at = 0; at < segments; at++) lost |= chance() < way->loss;
  return lost;
}

/* The packet at `count`, which was free, is under way now. */
static void push(struct way *way) {
  uint32_t at = way->count++;
  for (; at > 0 && is_before(way->due[at], way->due[(at - 1) / 2]); at = (at - 1) / 2)
    swap(way->due, at, (at - 1) / 2);
}

static void pop(struct way *way) {
  swap(way->due, 0, --way->count);
  for (uint32_t at = 0, child; (child = 2 * at + 1) < way->count; at = child) {
    if (child + 1 < way->count && is_before(way->due[child + 1], way->due[child])) child++;
    if (!is_before(way->due[child], way->due[at])) return;
    swap(way->due, at, child);
  }
}

static void take_in(struct way *way) {
  uint64_t now = now_ns();
  static struct packet spilled;
  for (int taken = 0; taken < batch; taken++) {
    int has_room = way->count < queue;
    struct packet *packet = has_room ? way->due[way->count] : &spilled;
    ssize_t length = read(way->from, packet->bytes, packet_max);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length <= 0) fail("read: %s", strerror(errno));
    packet->length = (uint32_t)length;
    if (is_lost(way, packet)) {
      way->lost++;
    } else if (!has_room) {
      way->dropped++;
    } else {
      packet->number = way->number++;
      packet->due_ns = now + way->delay_ns + (uint64_t)(chance() * (double)way->jitter_ns);
      if (is_ordered && packet->due_ns < way->last_due_ns) packet->due_ns = way->last_due_ns;
      way->last_due_ns = packet->due_ns;
      push(way);
    }
  }
}

static void send_due(struct way *way, uint64_t now) {
  while (way->count > 0 && way->due[0]->due_ns <= now) {
    struct packet *packet = way->due[0];
    /* A device that is down or full loses the packet, as a cable does. */
    if (write(way->to, packet->bytes, packet->length) < 0) {
      way->dropped++;
    } else {
      way->packets++;
      way->bytes += packet->length;
    }
    pop(way);
  }
}

static int attach(const char *name) {
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) fail("/dev/net/tun: %s", strerror(errno));
  /*
   * A header says what the kernel has left to do, sums and the cutting into segments. Between
   * namespaces of one machine neither is needed, and each costs as much as the rest of the way.
   */
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
  if (strlen(name) >= sizeof request.ifr_name) fail("%s: the name is too long", name);
  strcpy(request.ifr_name, name);
  if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0)
    fail("%s: %s", name, strerror(errno));
  return fd;
}

static double figure(const char *text, double max) {
  char *end;
  double value = strtod(text, &end);
  if (*text == 0 || *end != 0 || !(value >= 0 && value <= max)) fail("%s: 0 to %g", text, max);
  return value;
}

static void open_way(struct way *way, int from, int to, char **figures) {
  way->from = from;
  way->to = to;
  way->delay_ns = (uint64_t)(figure(figures[0], 10000) * 1e6);
  way->jitter_ns = (uint64_t)(figure(figures[1], 10000) * 1e6);
  way->loss = figure(figures[2], 100) / 100;
  way->due = calloc(queue, sizeof *way->due);
  /* Pages that no packet ever needed are never touched. */
  struct packet *packets = calloc(queue, sizeof *packets);
  if (way->due == NULL || packets == NULL) fail("no memory for %u packets", queue);
  for (uint32_t at = 0; at < queue; at++) way->due[at] = &packets[at];
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll: %s", strerror(errno));
}

static void arm(int timer, const struct way *ways, uint64_t now) {
  uint64_t next = UINT64_MAX;
  for (int at = 0; at < 2; at++)
    if (ways[at].count > 0 && ways[at].due[0]->due_ns < next) next = ways[at].due[0]->due_ns;
  if (next == UINT64_MAX) return; /* the next packet arms it */
  if (next < now + grain_ns) next = now + grain_ns;
  struct itimerspec at = {
      .it_value = {.tv_sec = (time_t)(next / 1000000000u), .tv_nsec = (long)(next % 1000000000u)}};
  timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void print_way(const char *name, const struct way *way) {
  printf("\"%s\":{\"packets\":%llu,\"bytes\":%llu,\"lost\":%llu,\"dropped\":%llu}", name,
         (unsigned long long)way->packets, (unsigned long long)way->bytes,
         (unsigned long long)way->lost, (unsigned long long)way->dropped);
}

static void run(struct way *ways) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, NULL);
  int signals = signalfd(-1, &ends, SFD_CLOEXEC);
  for (int at = 0; at < 2; at++) watch(epoll, ways[at].from);
  watch(epoll, timer);
  watch(epoll, signals);
  for (;;) {
    struct epoll_event events[4];
    int count = epoll_wait(epoll, events, 4, -1);
    for (int at = 0; at < count; at++) {
      int fd = events[at].data.fd;
      uint64_t expirations;
      if (fd == signals) return;
      if (fd == timer) (void)!read(timer, &expirations, sizeof expirations);
      for (int way = 0; way < 2; way++)
        if (fd == ways[way].from) take_in(&ways[way]);
    }
    uint64_t now = now_ns();
    for (int at = 0; at < 2; at++) send_due(&ways[at], now);
    arm(timer, ways, now);
  }
}

int main(int argc, char **argv) {
  static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                          {"queue", required_argument, NULL, 'q'},
                                          {"reorder", no_argument, NULL, 'r'},
                                          {0}};
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 's') random_state = (uint64_t)figure(optarg, 9e15);
    else if (option == 'q') queue = (uint32_t)figure(optarg, queue_max);
    else if (option == 'r') is_ordered = 0;
    else return 2;
  }
  if (argc - optind != 8 || queue == 0) {
    fputs("usage: delay-line [--seed N] [--queue PACKETS] [--reorder] A B "
          "DELAY JITTER LOSS DELAY JITTER LOSS\n", stderr);
    return 2;
  }
  char **rest = argv + optind;
  /* A network has a clock of its own: it waits for no program, and ends with whoever made it. */
  struct sched_param first = {.sched_priority = 1};
  sched_setscheduler(0, SCHED_FIFO, &first);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  prctl(PR_SET_TIMERSLACK, 1);
  struct way ways[2] = {0};
  int devices[] = {attach(rest[0]), attach(rest[1])};
  open_way(&ways[0], devices[0], devices[1], rest + 2);
  open_way(&ways[1], devices[1], devices[0], rest + 5);
  puts("{\"event\":\"attached\"}");
  fflush(stdout);
  run(ways);
  printf("{");
  print_way("forth", &ways[0]);
  printf(",");
  print_way("back", &ways[1]);
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  printf(",\"cpuSeconds\":%.3f}\n",
         (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
             (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
  return 0;
}
