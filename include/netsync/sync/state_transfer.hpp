// netsync: a whole state, in pieces, over links that may break. A transfer that one member began can be ended by any other
// whose state has the same bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/detail/hash.hpp>
#include <netsync/pool/outbox.hpp>
#include <netsync/sync/content.hpp>
#include <netsync/sync/message.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace netsync {

/// The giving side: one encoded snapshot, kept while somebody asks for it. Stateless towards the peers.
class StateSource {
   public:
    /// Answers with up to `window` chunks. A request for another state than `copy` holds, or is kept, is answered with the
    /// present one, from its start; with the one kept, where that is still to become durable.
    template <class Copy>
    std::error_code answer(Link link, const StateRequest& request, Copy& copy, const Limits& limits, Duration now,
                           Outbox& out) {
        const std::uint64_t version = copy.history().digest();
        if (!snapshot_ || (request.digest != digest_ && version_ != version && copy.is_durable_with(commit_))) {
            commit_ = copy.commit_of_all();
            const Result<EncodedState> state = copy.encode();
            if (!state) return state.error();
            snapshot_ = state->bytes;
            digest_ = state->digest;
            version_ = version;
        }
        expires_ = now + std::chrono::seconds{10};
        std::uint64_t offset = request.digest == digest_ ? request.offset : 0;
        if (offset > snapshot_->size()) return errc::malformed;
        for (int sent = 0; sent < window && (sent == 0 || offset < snapshot_->size()); ++sent) {
            const std::size_t size = std::min<std::size_t>(limits.transfer, snapshot_->size() - offset);
            const auto from = snapshot_->begin() + static_cast<std::ptrdiff_t>(offset);
            StateChunk chunk{digest_, snapshot_->size(), offset, Bytes(from, from + static_cast<std::ptrdiff_t>(size))};
            chunk.hash = hash_of(chunk);
            if (offset + size == snapshot_->size()) chunk.recent = copy.history().recent(max_recent);
            out.send(link, chunk, copy.is_durable_with(commit_));
            offset += size;
        }
        return {};
    }

    /// Lets go of the snapshot when nobody has asked for a while.
    void tick(Duration now) {
        if (snapshot_ && now >= expires_) snapshot_ = nullptr;
    }

    static constexpr int window = 8;  ///< chunks an answer
    static constexpr std::size_t max_recent = 64;

    static std::uint64_t hash_of(const StateChunk& chunk) noexcept {
        return detail::hash_bytes(chunk.bytes.data(), chunk.bytes.size(), detail::mix(chunk.digest, chunk.offset));
    }

   private:
    SharedBytes snapshot_;
    std::uint64_t version_ = 0;
    std::uint64_t digest_ = 0;  // of its bytes
    std::uint64_t commit_ = 0;  // with which all of it is durable
    Duration expires_{};
};

/// The taking side: one transfer at a time, its pieces kept as they arrive.
class StateSink {
   public:
    /// Begins, or goes on with what has arrived so far of the same state. `of`: see StateRequest.
    void ask(Link link, Outbox& out, std::vector<Head> of = {}) {
        asked_until_ = received_;
        out.send(link, StateRequest{digest_, received_, std::move(of)});
    }

    /// Takes a piece. True when the state is complete. errc::too_large, and errc::malformed for pieces that do not fit.
    Result<bool> take(Link link, StateChunk&& chunk, const Limits& limits, Outbox& out) {
        if (chunk.total > limits.state) return ++refused_, errc::too_large;
        if (chunk.digest != digest_) {  // another state than the one begun: from its start
            if (chunk.offset != 0) return false;
            drop();
            digest_ = chunk.digest;
            asked_until_ = 0;
        }
        if (chunk.offset != received_) return false;  // a repetition
        if (chunk.hash != StateSource::hash_of(chunk)) return errc::malformed;
        if (chunk.bytes.empty() || chunk.bytes.size() > chunk.total - chunk.offset) return errc::malformed;
        received_ += chunk.bytes.size();
        if (pieces_.empty() || chunk.bytes.size() >= large_piece)
            pieces_.push_back(std::move(chunk.bytes));
        else
            pieces_.back().insert(pieces_.back().end(), chunk.bytes.begin(), chunk.bytes.end());
        if (received_ == chunk.total) {
            recent_ = std::move(chunk.recent);
            if (recent_.size() > StateSource::max_recent) recent_.clear();
            return true;
        }
        // Ask on as soon as the window's end is in sight, so that the link never idles.
        if (received_ >= asked_until_ + limits.transfer * StateSource::window) ask(link, out);
        return false;
    }

    std::size_t received() const noexcept { return received_; }
    /// States that were too large.
    std::uint64_t refused() const noexcept { return refused_; }
    /// See StateChunk; of the state that was finished last.
    const std::vector<Head>& recent() const noexcept { return recent_; }
    /// The finished state; the sink is empty afterwards.
    Bytes finish() {
        Bytes whole;
        if (pieces_.size() == 1) {
            whole = std::move(pieces_.front());
        } else {
            whole.reserve(received_);
            for (Bytes& piece : pieces_) {
                whole.insert(whole.end(), piece.begin(), piece.end());
                piece = {};
            }
        }
        drop();
        return whole;
    }
    /// What has arrived is not needed.
    void drop() noexcept {
        pieces_.clear();
        digest_ = received_ = 0;
    }

   private:
    static constexpr std::size_t large_piece = 4096;  // that small ones do not cost more than they hold

    std::uint64_t digest_ = 0;
    std::uint64_t asked_until_ = 0;
    std::vector<Bytes> pieces_;
    std::size_t received_ = 0;  // in them
    std::vector<Head> recent_;
    std::uint64_t refused_ = 0;
};

}  // namespace netsync
