#include "core/io/channel.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "core/io/moved.h"

namespace fr {
namespace {

using How = Moved::How;

constexpr size_t kCopyBytes = 1u << 20;
constexpr size_t kPipeBytes = 1u << 20;
constexpr size_t kPipeWorth = 256u << 10;  // a smaller pipe gains nothing over sendfile's own
constexpr int kRtoMax = 44;                // TCP_RTO_MAX_MS; older headers do not name it
constexpr int kRtoMaxMs = 2'000;
constexpr int kBufLock = 72;  // SO_BUF_LOCK; older headers do not name it
constexpr int kFreeWindow = 4 << 20;
constexpr int kFirstUnsentBytes = 128 << 10;
constexpr int kRoundTrips = 4;  // a lost packet costs about two, and so does the next

void close_both(int pipe[2]) {
  ::close(pipe[0]);
  ::close(pipe[1]);
  pipe[0] = pipe[1] = -1;
}

// 0 where the system does not say.
int round_trip_ms(int fd) {
  tcp_info info = {};
  socklen_t length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return 0;
  return static_cast<int>(info.tcpi_rtt / 1000);
}

bool is_loopback(int fd) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) != 0) return false;
  if (peer.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&peer);
    return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
  }
  if (peer.ss_family != AF_INET6) return false;
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&peer);
  return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
         (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
}

bool set_congestion(int fd, const std::string& name) {
  return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                    static_cast<socklen_t>(name.size())) == 0;
}

// bbr costs 60 to 75 % more CPU on loopback; an ordinary user may at least take reno.
void spare_loopback(int fd) {
  if (is_loopback(fd) && !set_congestion(fd, "cubic")) set_congestion(fd, "reno");
}

}  // namespace

// --- the pipe of a thread ------------------------------------------------------------------------

Transit::~Transit() {
  if (pipe_[0] < 0) return;
  close_both(pipe_);
  counts_->open_pipes--;
}

bool Transit::renew() {
  if (pipe_[0] >= 0) {
    close_both(pipe_);
    counts_->open_pipes--;
  }
  if (pipe2(pipe_, O_CLOEXEC) != 0) {
    pipe_[0] = pipe_[1] = -1;
    return false;
  }
  counts_->open_pipes++;
  // Refused beyond the user's share of pipe pages: whatever size there is will do.
  bytes_ = fcntl(pipe_[1], F_SETPIPE_SZ, kBytes);
  return true;
}

// --- the socket ----------------------------------------------------------------------------------

int Channel::prepare(int fd, const ChannelOptions& options) {
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return -1;
  fcntl(own, F_SETFL, fcntl(own, F_GETFL) | O_NONBLOCK);
  const int one = 1;
  setsockopt(own, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(own, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
  // A cut cable acknowledges nothing: do not wait for the system's quarter of an hour.
  const int unacked_ms = options.user_timeout_ms + kRoundTrips * round_trip_ms(own);
  setsockopt(own, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms);
  // Nor, once the cable is back, for as long again as it was out (Linux 6.15).
  setsockopt(own, IPPROTO_TCP, kRtoMax, &kRtoMaxMs, sizeof kRtoMaxMs);
  if (!options.congestion.empty()) {
    set_congestion(own, options.congestion);
  } else {
    spare_loopback(own);
  }
  if (options.is_out) {
    setsockopt(own, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kFirstUnsentBytes, sizeof kFirstUnsentBytes);
  }
  return own;
}

int Channel::share(int fd) {
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return -1;
  fcntl(own, F_SETFL, fcntl(own, F_GETFL) | O_NONBLOCK);
  spare_loopback(own);
  return own;
}

void Channel::close() {
  close_pipe();
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  kept_.clear();
  held_ = 0;
}

void Channel::half_close() {
  is_closing_ = true;
  if (!has_unsent()) shutdown(fd_, SHUT_WR);
}

void Channel::outlive(int ms) { setsockopt(fd_, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms); }

void Channel::set_wake_bytes(int bytes) {
  setsockopt(fd_, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

void Channel::set_unsent_bytes(int bytes) {
  setsockopt(fd_, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

void Channel::set_window(int bytes) {
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

// The system follows the rate again where it can be told to (Linux 5.14); else there is room.
void Channel::free_window() {
  set_window(kFreeWindow);
  const int unlocked = 0;
  setsockopt(fd_, SOL_SOCKET, kBufLock, &unlocked, sizeof unlocked);
}

bool Channel::unacked(uint64_t* out) const {
  int bytes = 0;
  if (fd_ < 0 || ioctl(fd_, TIOCOUTQ, &bytes) != 0) return false;
  size_t unsent = 0;
  if (sealed_out_ != nullptr) sealed_out_->unsent(&unsent);
  *out = static_cast<uint64_t>(std::max(bytes, 0)) + unsent;
  return true;
}

void Channel::look_at_window() {
  tcp_info info = {};
  socklen_t length = sizeof info;
  if (fd_ < 0 || getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return;
  // Since Linux 5.4 the window is told; before, nothing on its way says it but where it shrank.
  const bool is_told = length >= offsetof(tcp_info, tcpi_snd_wnd) + sizeof info.tcpi_snd_wnd;
  const bool is_waiting = info.tcpi_unacked == 0 && info.tcpi_notsent_bytes > 0;
  const bool is_closed = is_told ? info.tcpi_snd_wnd == 0 : is_waiting;
  if (is_closed == (user_timeout_ms_ != 0)) return;
  const int none = 0;
  if (is_closed) {
    length = sizeof user_timeout_ms_;
    getsockopt(fd_, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms_, &length);
    setsockopt(fd_, IPPROTO_TCP, TCP_USER_TIMEOUT, &none, sizeof none);
  } else {
    setsockopt(fd_, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms_, sizeof user_timeout_ms_);
    user_timeout_ms_ = 0;
  }
}

bool Channel::round_trip(uint64_t* micros) const {
  PathInfo info;
  if (!path(&info)) return false;
  *micros = info.shortest_us;
  return true;
}

bool Channel::path(PathInfo* out) const {
  tcp_info info = {};
  socklen_t length = sizeof info;
  if (fd_ < 0 || getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return false;
  if (length < offsetof(tcp_info, tcpi_min_rtt) + sizeof info.tcpi_min_rtt) return false;
  // All bits are set while nothing was ever acknowledged.
  if (info.tcpi_min_rtt == UINT32_MAX) return false;
  out->shortest_us = info.tcpi_min_rtt;
  out->smoothed_us = info.tcpi_rtt;
  out->retransmits = info.tcpi_total_retrans;
  // Since Linux 4.10; nothing is told before.
  if (length >= offsetof(tcp_info, tcpi_rwnd_limited) + sizeof info.tcpi_rwnd_limited)
    out->window_limited_us = info.tcpi_rwnd_limited;
  return true;
}

// --- in ------------------------------------------------------------------------------------------

Moved Channel::recv(void* into, size_t bytes) {
  if (sealed_in_ != nullptr) return recv_opened(into, bytes);
  return moved(uninterrupted([&] { return ::recv(fd_, into, bytes, MSG_DONTWAIT); }));
}

// MSG_TRUNC on TCP discards without copying (tcp(7)).
Moved Channel::discard(size_t bytes) {
  if (sealed_in_ != nullptr) return recv_opened(nullptr, bytes);
  return moved(
      uninterrupted([&] { return ::recv(fd_, nullptr, bytes, MSG_DONTWAIT | MSG_TRUNC); }));
}

Moved Channel::to_file(Transit& via, int file, uint64_t at, size_t bytes, bool* copies) {
  if (sealed_in_ != nullptr) return to_file_opened(file, at, bytes);
  if (!*copies) {
    const Moved done = to_file_spliced(via, file, at, bytes, copies);
    if (done.how != How::kFailed || done.at_file || done.error != EINVAL) return done;
    *copies = true;
    counts_->landing_fallbacks++;
  }
  return to_file_copied(via, file, at, bytes);
}

Moved Channel::to_file_spliced(Transit& via, int file, uint64_t at, size_t bytes, bool* copies) {
  if (via.pipe_[0] < 0 && !via.renew()) return {How::kFailed, 0, EINVAL};
  // The pipe is empty here, so EAGAIN can only mean the socket.
  const Moved taken = moved(uninterrupted([&] {
    return splice(fd_, nullptr, via.pipe_[1], nullptr, bytes, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  }));
  if (!taken.some()) return taken;
  loff_t place = static_cast<loff_t>(at);
  for (size_t left = taken.bytes; left > 0;) {
    const ssize_t put = uninterrupted(
        [&] { return splice(via.pipe_[0], nullptr, file, &place, left, SPLICE_F_MOVE); });
    if (put > 0) {
      left -= static_cast<size_t>(put);
      continue;
    }
    int error = put < 0 ? errno : EIO;
    if (error == EINVAL) {
      // This file system takes no splice: what is in the pipe goes by hand, and so does all else.
      via.buffer_.resize(kCopyBytes);
      const ssize_t in = read(via.pipe_[0], via.buffer_.data(), std::min(left, kCopyBytes));
      error = in <= 0 ? EIO
                      : write_all(file, via.buffer_.data(), static_cast<size_t>(in),
                                  static_cast<uint64_t>(place));
      if (error == 0) {
        place += in;
        left -= static_cast<size_t>(in);
        if (!std::exchange(*copies, true)) counts_->landing_fallbacks++;
        continue;
      }
    }
    via.renew();  // the next feed must not get these bytes
    return failed_at_file(taken.bytes, error);
  }
  return taken;
}

Moved Channel::to_file_copied(Transit& via, int file, uint64_t at, size_t bytes) {
  via.buffer_.resize(kCopyBytes);
  const Moved taken = recv(via.buffer_.data(), std::min(bytes, kCopyBytes));
  if (!taken.some()) return taken;
  const int error = write_all(file, via.buffer_.data(), taken.bytes, at);
  return error == 0 ? taken : failed_at_file(taken.bytes, error);
}

// --- out -----------------------------------------------------------------------------------------

Moved Channel::send(const void* from, size_t bytes, bool more) {
  if (sealed_out_ != nullptr) return send_sealed(from, bytes, more);
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);
  return moved(uninterrupted([&] { return ::send(fd_, from, bytes, flags); }));
}

Moved Channel::from_file(int file, uint64_t at, uint64_t bytes) {
  if (sealed_out_ != nullptr) return from_file_sealed(file, at, bytes);
  if (held_ > 0 || (bytes >= kPipeWorth && open_pipe())) return from_file_piped(file, at, bytes);
  return from_file_at_once(file, at, bytes);
}

Moved Channel::from_file_at_once(int file, uint64_t at, uint64_t bytes) {
  off_t place = static_cast<off_t>(at);
  const size_t want = static_cast<size_t>(std::min<uint64_t>(bytes, kCopyBytes));
  // 0 is the end of the file, never of the connection; these two errors are the file's as well.
  Moved sent = moved(uninterrupted([&] { return sendfile(fd_, file, &place, want); }));
  sent.at_file = sent.error == EIO || sent.error == EINVAL;
  return sent;
}

// File -> pipe -> socket. Pages are referenced, never copied.
Moved Channel::from_file_piped(int file, uint64_t at, uint64_t bytes) {
  if (held_ == 0) {
    loff_t place = static_cast<loff_t>(at);
    const size_t want = static_cast<size_t>(std::min<uint64_t>(bytes, pipe_bytes_));
    const ssize_t taken =
        uninterrupted([&] { return splice(file, &place, pipe_[1], nullptr, want, 0); });
    if (taken < 0) return failed_at_file(0, errno);
    if (taken == 0) return {How::kEof};
    held_ = static_cast<size_t>(taken);
  }
  const bool more = bytes > held_;
  const ssize_t sent = uninterrupted([&] {
    return splice(pipe_[0], nullptr, fd_, nullptr, held_,
                  SPLICE_F_NONBLOCK | SPLICE_F_MOVE | (more ? SPLICE_F_MORE : 0));
  });
  if (sent == 0) return {How::kFailed, 0, EPIPE};
  if (sent > 0) held_ -= static_cast<size_t>(sent);
  return moved(sent);
}

// False: there is none worth having.
bool Channel::open_pipe() {
  if (pipe_[0] >= 0) return true;
  if (pipe_refused_) return false;
  if (pipe2(pipe_, O_CLOEXEC) != 0) {
    pipe_[0] = pipe_[1] = -1;
  } else {
    // An ordinary user gets 64 pipes of 1 MiB, then two pages each: worse than sendfile.
    const int size = fcntl(pipe_[1], F_SETPIPE_SZ, static_cast<int>(kPipeBytes));
    pipe_bytes_ = size < 0 ? 0 : static_cast<size_t>(size);
    if (pipe_bytes_ >= kPipeWorth) {
      counts_->open_pipes++;
      return true;
    }
    close_both(pipe_);
  }
  pipe_refused_ = true;
  counts_->sending_fallbacks++;
  return false;
}

void Channel::close_pipe() {
  if (pipe_[0] < 0) return;
  close_both(pipe_);
  counts_->open_pipes--;
  held_ = 0;
}

}  // namespace fr
