// The one seam where bytes meet the socket of a feed: five ways to move them, each with four
// outcomes, and the few settings of a socket that pace them. No other file makes a system call
// that moves bytes of a feed.
//
// A plain channel passes bytes between socket and file as references to pages (splice, sendfile),
// and by hand where the kernel refuses that. A sealed one (seal.h) has each byte once in a buffer
// that fits into the cache. Its calls count the bytes that were sealed, not what they took on the
// wire; what it has accepted may wait in it (`has_unsent`, `flush`), and so may what it has opened
// (`has_opened`), of which epoll knows nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/io/seal.h"

namespace fr {

struct ChannelCounts {
  std::atomic<uint64_t> landing_fallbacks{0};  // files that take no splice
  std::atomic<uint64_t> sending_fallbacks{0};  // feeds that got no pipe worth having
  std::atomic<int64_t> open_pipes{0};
};

// What came of one call. EINTR never leaves it.
struct [[nodiscard]] Moved {
  enum class How : uint8_t {
    kSome,    // `bytes` of them, at least one
    kAgain,   // the socket takes, or has, nothing now
    kEof,     // the peer sends nothing more; from_file: the file ends before these bytes
    kFailed,  // with `error`
  };
  How how = How::kAgain;
  size_t bytes = 0;      // kFailed at the file: taken off the socket, and lost
  int error = 0;         // errno
  bool at_file = false;  // kFailed: the file refused, the connection is fine

  bool some() const { return how == How::kSome; }
};

// The pipe and the buffer through which the bytes of one thread pass from sockets to files. Both
// are empty between calls, so one is enough for all feeds of a thread.
class Transit {
 public:
  explicit Transit(ChannelCounts* counts) : counts_(counts) {}
  ~Transit();
  Transit(const Transit&) = delete;
  Transit& operator=(const Transit&) = delete;

  // False: the user's share of pipe pages is used up, and one call moves less than there is.
  bool is_full_size() const { return bytes_ >= kBytes; }

 private:
  friend class Channel;
  static constexpr int kBytes = 1 << 20;
  bool renew();
  // Holds no more than a pipe of this size does.
  bool fit(int bytes);

  ChannelCounts* const counts_;
  int pipe_[2] = {-1, -1};
  int bytes_ = 0;  // -1: the kernel did not say
  std::vector<uint8_t> buffer_;
};

// What the socket of a feed is set to before its first byte.
struct ChannelOptions {
  bool is_out = false;
  int user_timeout_ms = 0;  // how long the connection lives while nothing is acknowledged
  std::string congestion;   // empty: cubic or reno on loopback, the system's choice elsewhere
};

// What the kernel has seen of the way that a connection takes.
struct PathInfo {
  uint64_t shortest_us = 0;        // round trip, of late
  uint64_t smoothed_us = 0;        // round trip, with what waits in queues
  uint64_t retransmits = 0;        // segments that were sent again
  uint64_t window_limited_us = 0;  // how long the peer's window has held it back
};

class Channel {
 public:
  // Owns the descriptor; -1 stands for a connection that is gone.
  Channel(int fd, ChannelCounts* counts) : fd_(fd), counts_(counts) {}
  ~Channel() { close(); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // A duplicate of the descriptor, set up for a channel; -1 with errno.
  static int prepare(int fd, const ChannelOptions& options);
  // A duplicate of the descriptor of a connection that its owner goes on with, from here on without
  // blocking; -1 with errno.
  static int share(int fd);

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }  // for epoll
  void close();
  // From here on one direction is sealed. False: this process has no OpenSSL.
  bool seal(const SealSecret& secret, bool is_out, uint64_t records_max = kSealRecordsMax);

  Moved recv(void* into, size_t bytes);
  // Takes bytes off the socket that nobody wants.
  Moved discard(size_t bytes);
  // `copies`: this file takes no splice, as was seen before, or is now.
  Moved to_file(Transit& via, int file, uint64_t at, size_t bytes, bool* copies);
  // `more`: bytes follow at once.
  Moved send(const void* from, size_t bytes, bool more);
  // Bytes of a file up to a border of the caller's. Until all of them are sent the next call must
  // go on where this one stopped: the channel may hold some of them already.
  Moved from_file(int file, uint64_t at, uint64_t bytes);
  // The same of a plain channel, and without a pipe: nothing is held, and the next call may go on
  // anywhere.
  Moved from_file_at_once(int file, uint64_t at, uint64_t bytes);
  // Fan-out (fan_out.cc). Takes what the socket has, at most `bytes`, and gives it to each of
  // these, at least one, who hold nothing: send_held passes it on. Pages are referenced, never
  // copied or read. One that could not take it holds nothing then, and is to be closed.
  Moved to_channels(Transit& via, const std::vector<Channel*>& to, size_t bytes);
  // False: the system gives no pipe. A smaller one than this will do. A segment of an unbatched
  // network card takes a page of it, however short it is.
  bool can_hold(int bytes = 256 << 10);
  // Of what to_channels gave.
  size_t held() const { return held_; }
  Moved send_held();
  // Sealed bytes that the socket has not taken: flush is to be called once it does, and before
  // anything else.
  bool has_unsent() const;
  // kSome: it has taken all of them, or there were none.
  Moved flush();
  // Opened bytes that wait to be taken.
  bool has_opened() const;
  // Sealed, in: how often its socket was read. Records may be short, so this tells of the work that
  // was done, not the bytes that came of it.
  uint64_t fills() const { return fills_; }
  // Says that nothing more is sent; behind what is unsent.
  void half_close();
  // How long the connection lives from now on while nothing is acknowledged.
  void outlive(int ms);

  // epoll reports the socket readable when this much, or the end, has come.
  void set_wake_bytes(int bytes);
  // epoll reports the socket writable while less than this waits unsent in the kernel.
  void set_unsent_bytes(int bytes);
  // How much may wait in the kernel to be read; free_window leaves that to the system again.
  void set_window(int bytes);
  void free_window();
  // Bytes the peer has not acknowledged, sent or not.
  bool unacked(uint64_t* out) const;
  // The shortest round trip that the kernel has seen of late.
  bool round_trip(uint64_t* micros) const;
  bool path(PathInfo* out) const;
  // A peer that takes nothing (its window is closed: a limit, a slow disk) answers the kernel's
  // questions, and yet TCP_USER_TIMEOUT counts. So it holds only while something is on its way;
  // what a closed window waits for ends by the peer's silence elsewhere. To be called now and then.
  void look_at_window();

 private:
  Moved to_file_spliced(Transit& via, int file, uint64_t at, size_t bytes, bool* copies);
  Moved to_file_copied(Transit& via, int file, uint64_t at, size_t bytes);
  Moved from_file_piped(int file, uint64_t at, uint64_t bytes);
  // The same ways, of sealed bytes (sealed_channel.cc).
  Moved recv_opened(void* into, size_t bytes);
  Moved to_file_opened(int file, uint64_t at, size_t bytes);
  template <typename Give>
  Moved take_opened(size_t bytes, Give&& give);
  Moved open_more();
  Moved send_sealed(const void* from, size_t bytes, bool more);
  Moved from_file_sealed(int file, uint64_t at, uint64_t bytes);
  Moved to_channels_by_hand(Transit& via, const std::vector<Channel*>& to, size_t bytes);
  Moved send_kept();
  bool open_pipe();
  void close_pipe();

  int fd_;
  int user_timeout_ms_ = 0;  // while it is set aside
  ChannelCounts* counts_;
  int pipe_[2] = {-1, -1};  // out: file -> pipe -> socket
  size_t pipe_bytes_ = 0;
  size_t held_ = 0;  // in the pipe, or at the end of kept_
  bool pipe_refused_ = false;
  std::vector<uint8_t> kept_;  // fan-out where somebody seals
  std::unique_ptr<SealedOut> sealed_out_;
  std::unique_ptr<SealedIn> sealed_in_;
  Moved opening_ended_;  // sealed, in: what its socket said last, once that was no bytes
  uint64_t fills_ = 0;
  bool is_closing_ = false;
};

}  // namespace fr
