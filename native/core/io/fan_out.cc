// One socket to many: socket -> pipe -> a pipe for each receiver -> sockets.
//
// A pipe counts its pages, however few bytes each holds. So what one pipe holds fits into any empty
// pipe with as many places, and nothing is given before all receivers are empty: tee and splice
// from pipe to pipe then take all of it or fail, and no receiver is ever ahead of another by more
// than one pipe.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/io/calls.h"
#include "core/io/channel.h"

namespace fr {
namespace {

using How = Moved::How;

// Moves all of it from one pipe into another.
bool move_all(int from, int to, size_t bytes) {
  while (bytes > 0) {
    const ssize_t moved = uninterrupted([&] {
      return splice(from, nullptr, to, nullptr, bytes, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    });
    if (moved <= 0) return false;
    bytes -= static_cast<size_t>(moved);
  }
  return true;
}

}  // namespace

bool Transit::fit(int bytes) {
  if (pipe_[0] < 0 && !renew()) return false;
  if (bytes_ != bytes) {
    const int size = fcntl(pipe_[1], F_SETPIPE_SZ, bytes);
    bytes_ = size < 0 ? fcntl(pipe_[1], F_GETPIPE_SZ) : size;
  }
  return bytes_ > 0 && bytes_ <= bytes;
}

bool Channel::can_hold(int bytes) {
  if (pipe_[0] >= 0 || sealed_out_ != nullptr) return true;
  if (pipe2(pipe_, O_CLOEXEC) != 0) {
    pipe_[0] = pipe_[1] = -1;
    return false;
  }
  counts_->open_pipes++;
  // Refused beyond the user's share of pipe pages: whatever size there is will do.
  if (fcntl(pipe_[1], F_SETPIPE_SZ, bytes) < 0) counts_->sending_fallbacks++;
  const int size = fcntl(pipe_[1], F_GETPIPE_SZ);
  pipe_bytes_ = static_cast<size_t>(std::max(size, 0));
  return size > 0;
}

Moved Channel::to_channels(Transit& via, const std::vector<Channel*>& to, size_t bytes) {
  const bool is_sealed =
      sealed_in_ != nullptr || std::any_of(to.begin(), to.end(), [](const Channel* channel) {
        return channel->sealed_out_ != nullptr;
      });
  if (is_sealed) return to_channels_by_hand(via, to, bytes);
  size_t places = Transit::kBytes;
  for (const Channel* channel : to) places = std::min(places, channel->pipe_bytes_);
  if (!via.fit(static_cast<int>(places))) return {How::kFailed, 0, ENFILE, true};
  // The pipe is empty here, so EAGAIN can only mean the socket.
  const ssize_t taken = uninterrupted([&] {
    return splice(fd_, nullptr, via.pipe_[1], nullptr, bytes, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  });
  if (taken == 0) return {How::kEof};
  if (taken < 0) return errno == EAGAIN ? Moved{} : Moved{How::kFailed, 0, errno};
  const auto count = static_cast<size_t>(taken);
  for (Channel* channel : to) {
    const bool is_last = channel == to.back();
    const bool took = is_last
                          ? move_all(via.pipe_[0], channel->pipe_[1], count)
                          : uninterrupted([&] {
                              return tee(via.pipe_[0], channel->pipe_[1], count, SPLICE_F_NONBLOCK);
                            }) == taken;
    if (took) {
      channel->held_ = count;
    } else {
      channel->close_pipe();
      if (is_last) via.renew();  // nobody else must get these bytes
    }
  }
  return {How::kSome, count};
}

Moved Channel::send_held() {
  if (!kept_.empty()) return send_kept();
  const ssize_t sent = uninterrupted([&] {
    return splice(pipe_[0], nullptr, fd_, nullptr, held_, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  });
  if (sent > 0) {
    held_ -= static_cast<size_t>(sent);
    return {How::kSome, static_cast<size_t>(sent)};
  }
  if (sent < 0 && errno == EAGAIN) return {};
  return {How::kFailed, 0, sent == 0 ? EPIPE : errno};
}

}  // namespace fr
