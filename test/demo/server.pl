#!/usr/bin/env perl
# The demo's service: answers every request with its greeting. With HEALTH=sick it answers 500, which
# is how a release looks that starts well and never works.
use strict;
use warnings;
use IO::Socket::INET;
use IO::Socket::UNIX;

$SIG{TERM} = sub { exit 0 };
my $socket_file = ($ENV{HOLDFAST_PREFIX} // '') . '/run/demo-web.sock';
unlink $socket_file;
my $listen = $ENV{LISTEN} // 'unix';
my $server = $listen eq 'unix'
    ? IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $socket_file, Listen => 16)
    : IO::Socket::INET->new(LocalAddr => $listen, Listen => 16, ReuseAddr => 1);
die "cannot listen on $listen: $!" unless $server;

while (my $client = $server->accept) {
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?\n$/ }
    my $status = ($ENV{HEALTH} // '') eq 'sick' ? '500 Internal Server Error' : '200 OK';
    my $body = ($ENV{GREETING} // 'hello') . "\n";
    print $client "HTTP/1.1 $status\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    close $client;
}
