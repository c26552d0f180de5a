// A transport of one's own, around another one: a metered connection that is to send no more than so many bytes a
// second.
#include <algorithm>
#include <cassert>
#include <chrono>
#include <netsync/netsync.hpp>
#include <string>
#include <utility>

using namespace std::chrono_literals;

/// A message may leave while the allowance of past seconds is not used up; then send() says no, as a slow link would,
/// and gossip brings later what was left out. Everything else goes straight through.
template <netsync::transport Inner>
class Metered {
   public:
    Metered(Inner inner, double bytes_a_second) : inner_(std::move(inner)), rate_(bytes_a_second) {}

    bool send(netsync::Link link, netsync::SharedBytes message) {
        const std::chrono::duration<double> passed = now() - std::exchange(counted_at_, now());
        allowance_ = std::min(rate_, allowance_ + passed.count() * rate_);
        if (allowance_ <= 0) return false;
        allowance_ -= static_cast<double>(message->size());  // a large one is paid for afterwards
        return inner_.send(link, std::move(message));
    }

    std::error_code start(const netsync::Options& options, netsync::TransportEvents events) {
        return inner_.start(options, std::move(events));
    }
    void stop() { inner_.stop(); }
    netsync::Duration now() const { return inner_.now(); }
    void wake_at(netsync::Duration time) { inner_.wake_at(time); }
    void announce(netsync::ByteView bytes) { inner_.announce(bytes); }
    netsync::Link dial(const netsync::Endpoint& endpoint) { return inner_.dial(endpoint); }
    void close(netsync::Link link) { inner_.close(link); }
    std::uint16_t port() const { return inner_.port(); }
    std::uint64_t entropy() { return inner_.entropy(); }

   private:
    Inner inner_;
    double rate_;
    double allowance_ = rate_;
    netsync::Duration counted_at_{};
};

static_assert(netsync::transport<Metered<netsync::MemoryTransport>>);

int main() {
    using Notes = netsync::OrSet<std::string>;
    using Phone =
        netsync::Replica<netsync::MemoryStore, Metered<netsync::MemoryTransport>, netsync::HybridClock, Notes>;
    netsync::MemoryHub network;
    netsync::MemoryReplica<Notes> laptop{network};
    Phone phone{{network, 2'000}};
    network.run();

    for (int i = 0; i < 500; ++i) phone.update(netsync::add("note " + std::to_string(i)));
    network.run();
    assert(laptop.state().size() < 500);
    assert(phone.report().traffic.sends_skipped > 0);

    network.run_for(1min);
    assert(laptop.state() == phone.state());
    assert(phone.report().traffic.bytes_out < 60 * 2'000);
}
