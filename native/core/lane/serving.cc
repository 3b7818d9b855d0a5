// Serving: file -> socket of the host, for answers that are read by others than nodes.
//
// The connection stays the host's, which reads it and writes what stands around these bytes. So
// nothing is read here, no option is set that would be of use to feeds alone, and the end is told
// by an event, from which on the host writes again. What keeps a connection slow is the other
// side's affair: it holds a descriptor and no memory, until it has taken nothing for a while.
#include "core/lane/serving.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "core/lane/engine.h"
#include "core/lane/lane.h"

namespace fr {
namespace {

// What one answer moves before others have their turn.
constexpr uint64_t kServeTurnBytes = 4 << 20;
constexpr uint64_t kServeLookNs = 250'000'000;
constexpr uint64_t kNsPerMs = 1'000'000;

constexpr Answer kGone{nullptr, {Code::ERR_FR_CLOSED, 0}};
constexpr Answer kNoRoom{nullptr, {Code::ERR_FR_INBOX_FULL, 0}};

}  // namespace

Answer Engine::serve(const ServeRequest& r) {
  if (!running_) return kGone;
  FileRef file = file_table_get(r.file);
  if (file == nullptr) return {"file: unknown handle", {}};
  if (r.stalled_ms <= 0) return {"stalledMs: zero", {}};
  if (servings_.size() >= bounds::servesAtOnce) return {nullptr, {Code::ERR_FR_LIMIT, 0}};
  if (r.fd < 0) return {nullptr, {Code::ERR_FR_NODE_LOST, 0}};
  const int fd = Channel::share(r.fd);
  if (fd < 0) return {nullptr, {Code::ERR_FR_LIMIT, errno}};
  Lane* const lane = lane_for(file->disk);
  std::shared_ptr<Account>& account = serving_[lane];
  if (account == nullptr) account = up_.open();
  // A std::function must be copyable, so it travels in a shared holder.
  auto holder = std::make_shared<std::unique_ptr<Serving>>(std::make_unique<Serving>(fd, &counts_));
  Serving& serving = **holder;
  const uint32_t id = next_handle_++;
  serving.id = id;
  serving.operation = r.operation;
  serving.file = std::move(file);
  serving.at = r.offset;
  serving.left = r.length;
  serving.stalled_ns = static_cast<uint64_t>(r.stalled_ms) * kNsPerMs;
  const bool is_taken =
      lane->submit([holder, account = account](Lane& l) { l.serve(std::move(*holder), account); });
  if (!is_taken) return kNoRoom;
  servings_[r.operation] = {lane, id};
  return {};
}

Answer Engine::stop_serving(double operation) {
  const auto found = servings_.find(operation);
  if (!running_ || found == servings_.end()) return {};
  const auto [lane, id] = found->second;
  return lane->submit([id = id](Lane& l) { l.stop_serving(id); }) ? Answer{} : kNoRoom;
}

void Lane::serve(std::unique_ptr<Serving> serving, std::shared_ptr<Account> account) {
  serving_up_ = std::move(account);
  serving->moved_ns = now_ns_;
  counts_->open_serves++;
  Serving& raw = *serving;
  servings_.emplace(raw.id, std::move(serving));
  push_served(raw);
}

void Lane::stop_serving(uint32_t id) {
  const auto found = servings_.find(id);
  if (found != servings_.end()) end_serving(*found->second, {Code::ERR_FR_CLOSED, 0});
}

void Lane::push_served(Serving& serving) {
  for (uint64_t moved = 0; serving.left > 0;) {
    uint64_t want = std::min(serving.left, kServeTurnBytes);
    if (serving_up_->is_paced()) want = std::min(want, serving_up_->allowance(now_ns_));
    if (want == 0 || moved >= kServeTurnBytes) return come_back(serving);
    const Piece from = serving.file->to_read(serving.at, want);
    // What was in a part has been lost since.
    if (from.fd < 0) return end_serving(serving, status_of_errno(EIO, "read"));
    const Moved sent = serving.channel.from_file_at_once(from.fd, serving.at, from.length);
    if (sent.how == Moved::How::kAgain) return watch(serving);
    if (sent.how == Moved::How::kEof) return end_serving(serving, {Code::ERR_FR_SOURCE_CHANGED, 0});
    if (sent.at_file) return end_serving(serving, status_of_errno(sent.error, "read"));
    if (!sent.some()) return end_serving(serving, {Code::ERR_FR_NODE_LOST, sent.error, "sendfile"});
    serving_up_->pay(sent.bytes);
    counts_->served_bytes += sent.bytes;
    serving.at += sent.bytes;
    serving.left -= sent.bytes;
    serving.moved_ns = now_ns_;
    moved += sent.bytes;
  }
  end_serving(serving, {});
}

// Only now: most answers fit into the socket.
void Lane::watch(Serving& serving) {
  if (std::exchange(serving.is_watched, true)) return;
  epoll_event event{};
  event.data.ptr = static_cast<Feed*>(&serving);
  event.events = EPOLLOUT | EPOLLET;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, serving.channel.fd(), &event) == 0) return;
  serving.is_watched = false;
  end_serving(serving, status_of_errno(errno, "epoll_ctl"));
}

// Its turn is over, or a limit has ended it: epoll tells of it no more.
void Lane::come_back(Serving& serving) {
  if (!std::exchange(serving.is_waiting, true)) serving_turns_.push_back(serving.id);
}

void Lane::resume_serving() {
  for (const uint32_t id : std::exchange(serving_turns_, {})) {
    const auto found = servings_.find(id);
    if (found == servings_.end()) continue;
    found->second->is_waiting = false;
    push_served(*found->second);
  }
  const uint64_t since_ns = now_ns_ - served_look_ns_;
  if (!servings_.empty() && since_ns < kServeLookNs) return;
  served_look_ns_ = now_ns_;
  // While the lane itself has no turn (a disk hangs) nobody is asked to take anything.
  const uint64_t late_ns = since_ns > 2 * kServeLookNs ? since_ns - kServeLookNs : 0;
  std::vector<Serving*> stalled;
  for (const auto& [id, serving] : servings_) {
    serving->moved_ns = std::min(now_ns_, serving->moved_ns + late_ns);
    // A limit holds it back.
    if (serving->is_waiting) serving->moved_ns = now_ns_;
    if (now_ns_ - serving->moved_ns > serving->stalled_ns) stalled.push_back(serving.get());
  }
  for (Serving* const serving : stalled)
    end_serving(*serving, {Code::ERR_FR_NODE_LOST, ETIMEDOUT, "sendfile"});
}

// 0: at once; -1: nothing waits.
int Lane::serving_wait_ms() const {
  if (!serving_turns_.empty())
    return serving_up_->is_paced() ? static_cast<int>(Account::kPaceNs / kNsPerMs) : 0;
  return servings_.empty() ? -1 : static_cast<int>(kServeLookNs / kNsPerMs);
}

void Lane::end_serving(Serving& serving, Status status) {
  Event event{{static_cast<double>(EventType::kDone), serving.operation,
               static_cast<double>(status.code), static_cast<double>(status.sys_errno)}};
  const std::string_view what = status.what == nullptr ? "" : status.what;
  event.v[4] = static_cast<double>(serving.left);
  event.v[kSideOffset] = static_cast<double>(batch_.side.size());
  event.v[kSideLength] = static_cast<double>(what.size());
  batch_.side.insert(batch_.side.end(), what.begin(), what.end());
  batch_.events.push_back(event);
  drop_serving(serving);
}

void Lane::drop_serving(Serving& serving) {
  // By hand, as in drop_feed: the host holds the same description.
  if (serving.is_watched) epoll_ctl(epoll_, EPOLL_CTL_DEL, serving.channel.fd(), nullptr);
  serving.channel.close();
  counts_->open_serves--;
  const auto found = servings_.find(serving.id);
  graveyard_.push_back(std::move(found->second));
  servings_.erase(found);
}

void Lane::close_serving() {
  while (!servings_.empty()) drop_serving(*servings_.begin()->second);
}

}  // namespace fr
