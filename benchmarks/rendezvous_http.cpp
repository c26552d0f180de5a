// Rendezvous over HTTP: pairs met a second on loopback, 64 connections that are kept alive, beside the same server answering
// a constant. The server has one thread, the client another.
#include <netsync/http.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace netsync;

namespace {

constexpr int connections = 64;

struct Connection {
    int fd = -1;
    std::uint64_t round = 0;
    std::string received{};
};

/// The server, on a thread whose processor time can be asked for.
struct Service {
    asio::io_context context{1};
    http::Server server{context, {}};
    http::RendezvousRoutes routes{server, context};
    std::thread thread;

    Service() {
        if (server.start()) std::abort();
        thread = std::thread([this] { context.run(); });
    }
    ~Service() {
        asio::post(context, [this] { context.stop(); });
        thread.join();
    }
    double busy() {
        clockid_t clock{};
        timespec time{};
        ::pthread_getcpuclockid(thread.native_handle(), &clock);
        ::clock_gettime(clock, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
    }
};

/// Requests a second, and a second of the server's processor time: the latter does not depend on what else runs.
struct Rate {
    double requests = 0, each_busy = 0;
};

int connect_to(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0), on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/// Each connection sends its next request when it has its reply. Replies in the time given, a second; all must be right.
Rate requests_a_second(Service& service, auto&& target, std::string_view right, double seconds) {
    const int poll = ::epoll_create1(0);
    std::vector<Connection> all(connections);
    const auto send = [&](int at) {
        const std::string text =
            "GET " + target(at, all[static_cast<std::size_t>(at)].round++) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
        if (::send(all[static_cast<std::size_t>(at)].fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) std::abort();
    };
    for (int at = 0; at < connections; ++at) {
        Connection& connection = all[static_cast<std::size_t>(at)];
        connection.fd = connect_to(service.server.port());
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u32 = static_cast<std::uint32_t>(at);
        ::epoll_ctl(poll, EPOLL_CTL_ADD, connection.fd, &event);
    }
    const double busy = service.busy();
    const auto start = std::chrono::steady_clock::now();
    const auto elapsed = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    for (int at = 0; at < connections; ++at) send(at);
    std::uint64_t replies = 0, late = 0, unanswered = connections;
    double taken = 0;
    while (unanswered > 0) {
        epoll_event events[connections];
        const int count = ::epoll_wait(poll, events, connections, 5'000);
        if (count == 0)
            std::printf("lost: %llu requests hang\n", static_cast<unsigned long long>(unanswered)), std::exit(1);
        const bool over = (taken = elapsed()) > seconds;
        for (int each = 0; each < count; ++each) {
            const int at = static_cast<int>(events[each].data.u32);
            Connection& connection = all[static_cast<std::size_t>(at)];
            char bytes[4096];
            const ssize_t size = ::recv(connection.fd, bytes, sizeof bytes, 0);
            if (size <= 0) std::abort();
            connection.received.append(bytes, static_cast<std::size_t>(size));
            if (connection.received.size() < right.size() || !connection.received.ends_with('\n')) continue;
            if (!connection.received.ends_with(right))
                std::printf("wrong: %s\n", connection.received.c_str()), std::exit(1);
            connection.received.clear();
            ++(over ? late : replies);
            // A pair stops together: its last round is the one that both began.
            const bool partner_ahead = all[static_cast<std::size_t>(at ^ 1)].round > connection.round;
            if (!over || partner_ahead)
                send(at);
            else
                --unanswered;
        }
    }
    for (const Connection& connection : all) ::close(connection.fd);
    ::close(poll);
    return {static_cast<double>(replies) / std::min(taken, seconds),
            static_cast<double>(replies + late) / (service.busy() - busy)};
}

}  // namespace

int main() {
    Service service;
    const auto constant = [](int, std::uint64_t) -> std::string { return "/healthz"; };
    const auto meet_at = [](bool reuse) {
        return [reuse](int at, std::uint64_t round) {
            return "/event?event=" + std::to_string(at / 2) + (reuse ? "" : "-" + std::to_string(round)) +
                   (at % 2 ? "&actor=bob&payload=p2" : "&actor=alice&payload=p1");
        };
    };
    const std::string both = "{\"payloads\":{\"alice\":\"p1\",\"bob\":\"p2\"}}\n";
    std::vector<Rate> floors, fresh, reused;
    for (int round = 0; round < 5; ++round) {
        floors.push_back(requests_a_second(service, constant, "{\"status\":\"ok\"}\n", 2));
        fresh.push_back(requests_a_second(service, meet_at(false), both, 2));
        reused.push_back(requests_a_second(service, meet_at(true), both, 2));
    }
    const auto median = [](std::vector<Rate> rates, double Rate::* which) {
        std::sort(rates.begin(), rates.end(), [&](const Rate& a, const Rate& b) { return a.*which < b.*which; });
        return rates[rates.size() / 2].*which;
    };
    for (const auto which : {&Rate::requests, &Rate::each_busy}) {
        std::printf(which == &Rate::requests ? "a second\n" : "a second of the server's processor time\n");
        const double floor = median(floors, which);
        std::printf("  GET /healthz            %8.0f requests\n", floor);
        for (const auto& [name, rates] : {std::pair{"fresh events  ", &fresh}, {"one event each", &reused}})
            std::printf("  pairs, %s   %8.0f pairs, %.2f of the requests of /healthz (at least 0.6)\n", name,
                        median(*rates, which) / 2, median(*rates, which) / floor);
    }
}
