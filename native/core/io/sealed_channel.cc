// A channel whose bytes are sealed: file -> buffer, sealed there -> socket, and socket -> buffer,
// opened into another -> file. Both buffers are small enough to stay in the cache.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/io/moved.h"

namespace fr {
namespace {

using How = Moved::How;

// A call moves no more, so that one feed does not keep the thread for long.
constexpr uint64_t kCallBytes = 1u << 20;
// Nor reads its socket more often: with the shortest records that is some 10 ms.
constexpr uint64_t kCallFills = 16;
// Of what is passed on to several.
constexpr size_t kKeptBytes = 128u << 10;

// OpenSSL refuses what it has done before: no memory.
constexpr Moved kNotSealed{How::kFailed, 0, ENOMEM};

}  // namespace

bool Channel::seal(const SealSecret& secret, bool is_out, uint64_t records_max) {
  const Gcm* const gcm = find_gcm();
  if (gcm == nullptr) return false;
  if (is_out) {
    sealed_out_ = std::make_unique<SealedOut>(gcm, secret, records_max);
  } else {
    sealed_in_ = std::make_unique<SealedIn>(gcm, secret, records_max);
  }
  return true;
}

// --- in ------------------------------------------------------------------------------------------

bool Channel::has_opened() const {
  size_t bytes = 0;
  if (sealed_in_ != nullptr) sealed_in_->opened(&bytes);
  return bytes > 0;
}

// kSome: there are opened bytes. What ends them is said for good: a socket says an error once.
Moved Channel::open_more() {
  for (;;) {
    if (has_opened()) return {How::kSome, 1};
    if (opening_ended_.how != How::kAgain) return opening_ended_;
    size_t room = 0;
    uint8_t* const into = sealed_in_->room(&room);
    if (into == nullptr) return kNotSealed;
    fills_++;
    const Moved came = moved(uninterrupted([&] { return ::recv(fd_, into, room, MSG_DONTWAIT); }));
    if (came.how == How::kAgain) {
      sealed_in_->rest();
      return came;
    }
    if (!came.some()) {
      opening_ended_ = came;
    } else if (!sealed_in_->came(came.bytes)) {
      opening_ended_ = {How::kFailed, 0, EBADMSG};
    }
  }
}

// Hands opened bytes to `give(from, bytes, done)`, which takes all of them or returns an errno.
template <typename Give>
Moved Channel::take_opened(size_t bytes, Give&& give) {
  size_t done = 0;
  const uint64_t fills = fills_;
  while (done < bytes && (done == 0 || fills_ - fills < kCallFills)) {
    const Moved more = open_more();
    if (!more.some()) return done > 0 ? Moved{How::kSome, done} : more;
    size_t there = 0;
    const uint8_t* const from = sealed_in_->opened(&there);
    const size_t step = std::min(there, bytes - done);
    const int error = give(from, step, done);
    if (error != 0 && done > 0) break;  // said again by the next call
    sealed_in_->taken(step);
    if (error != 0) return failed_at_file(step, error);
    done += step;
  }
  return {How::kSome, done};
}

// `into`: nullptr for bytes that nobody wants.
Moved Channel::recv_opened(void* into, size_t bytes) {
  return take_opened(bytes, [into](const uint8_t* from, size_t step, size_t done) {
    if (into != nullptr) std::memcpy(static_cast<uint8_t*>(into) + done, from, step);
    return 0;
  });
}

Moved Channel::to_file_opened(int file, uint64_t at, size_t bytes) {
  return take_opened(bytes, [file, at](const uint8_t* from, size_t step, size_t done) {
    return write_all(file, from, step, at + done);
  });
}

// --- out -----------------------------------------------------------------------------------------

bool Channel::has_unsent() const {
  size_t bytes = 0;
  if (sealed_out_ != nullptr) sealed_out_->unsent(&bytes);
  return bytes > 0;
}

Moved Channel::flush() {
  for (;;) {
    size_t left = 0;
    const uint8_t* const from = sealed_out_->unsent(&left);
    if (left == 0) break;
    const Moved sent =
        moved(uninterrupted([&] { return ::send(fd_, from, left, MSG_DONTWAIT | MSG_NOSIGNAL); }));
    if (!sent.some()) return sent;
    sealed_out_->sent(sent.bytes);
  }
  if (is_closing_) shutdown(fd_, SHUT_WR);
  return {How::kSome, 1};
}

// `more`: the record goes on with what follows at once, and waits for it.
Moved Channel::send_sealed(const void* from, size_t bytes, bool more) {
  const Moved before = flush();
  if (!before.some()) return before;
  size_t done = 0;
  while (done < bytes) {
    size_t room = 0;
    uint8_t* const into = sealed_out_->room(&room);
    if (into == nullptr) return kNotSealed;
    const size_t step = std::min(room, bytes - done);
    std::memcpy(into, static_cast<const uint8_t*>(from) + done, step);
    sealed_out_->filled(step);
    done += step;
    if (more && done == bytes && step < room) break;
    if (!sealed_out_->close_record()) return kNotSealed;
    const Moved sent = flush();
    if (sent.how == How::kFailed) return sent;
    if (!sent.some()) break;
  }
  return {How::kSome, done};
}

Moved Channel::from_file_sealed(int file, uint64_t at, uint64_t bytes) {
  const Moved before = flush();
  if (!before.some()) return before;
  const uint64_t most = std::min(bytes, kCallBytes);
  uint64_t done = 0;
  bool is_taken = true;
  while (done < most && is_taken) {
    // As many records as the buffer has places for, and one call on the socket.
    while (done < most) {
      size_t room = 0;
      uint8_t* const into = sealed_out_->room(&room);
      if (into == nullptr) return kNotSealed;
      if (room == 0) break;
      const size_t want = static_cast<size_t>(std::min<uint64_t>(room, most - done));
      const ssize_t got =
          uninterrupted([&] { return pread(file, into, want, static_cast<off_t>(at + done)); });
      if (got <= 0) {
        // The next call says it again.
        if (done > 0) return {How::kSome, static_cast<size_t>(done)};
        return got < 0 ? failed_at_file(0, errno) : Moved{How::kEof};
      }
      sealed_out_->filled(static_cast<size_t>(got));
      done += static_cast<uint64_t>(got);
      if (!sealed_out_->close_record()) return kNotSealed;
    }
    const Moved sent = flush();
    if (sent.how == How::kFailed) return sent;
    is_taken = sent.some();
  }
  return {How::kSome, static_cast<size_t>(done)};
}

// --- fan-out -------------------------------------------------------------------------------------

// Each gets a copy of its own, to seal or to send.
Moved Channel::to_channels_by_hand(Transit& via, const std::vector<Channel*>& to, size_t bytes) {
  via.buffer_.resize(kKeptBytes);
  const Moved taken = recv(via.buffer_.data(), std::min(bytes, kKeptBytes));
  if (!taken.some()) return taken;
  for (Channel* channel : to) {
    channel->kept_.assign(via.buffer_.begin(),
                          via.buffer_.begin() + static_cast<ptrdiff_t>(taken.bytes));
    channel->held_ = taken.bytes;
  }
  return taken;
}

Moved Channel::send_kept() {
  const Moved sent = send(kept_.data() + (kept_.size() - held_), held_, false);
  if (sent.some()) held_ -= sent.bytes;
  if (held_ == 0) kept_.clear();
  return sent;
}

}  // namespace fr
