# Debian's libtelephony-asterisk-ami-perl: its ActionIDs are 1, 2, 3, as those of other clients.
use strict;
use warnings;
use Telephony::Asterisk::AMI ();

my ($host, $port, $secret) = @ARGV;
my %seen;
my $ami = Telephony::Asterisk::AMI->new(
	Username => 'admin', Secret => $secret, Host => $host, Port => $port,
	Event_Callback => sub { my $e = shift; $seen{ $e->{Event} }++ if $e->{Event} },
);
$ami->connect or die $ami->error;
print "ping: ", $ami->action(Action => 'Ping')->{Ping}, "\n";
for my $n (1 .. 50) {
	my $r = $ami->action(Action => 'UserEvent', UserEvent => 'Perl', N => $n);
	print "user event $n: $r->{Message}\n" unless $r->{Message} eq 'Event Sent';
}
my $r = $ami->action(Action => 'Command', Command => 'core show version');
print "command: $r->{Response}: ", (ref $r->{Output} ? 'lines' : $r->{Output} =~ /^Asterisk/ ? 'Asterisk' : $r->{Output}), "\n";
$r = $ami->action(Action => 'Originate', Channel => 'Nonsense/1', Context => 'default', Exten => 200, Priority => 1);
print "originate: $r->{Response}: $r->{Message}\n";
$r = $ami->action(Action => 'Originate', Channel => 'Local/200@default', Application => 'Wait', Data => 1, Variable => [ 'a=1', 'b=2' ]);
print "originate: $r->{Response}: $r->{Message}\n";
$r = $ami->action(Action => 'Bogus');
print "bogus: $r->{Response}\n";
$ami->disconnect or die $ami->error;
print "logged off\n";
