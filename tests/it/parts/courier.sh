# Courier's paths are compiled in, so it gets them in a mount namespace: its settings, its socket, its plugins, and a
# user of its own. Only empty folders are made outside it, and only where they are missing.
set -e
mkdir -p /etc/courier /run/courier /usr/lib/courier-authlib
mount --bind @ROOT@/etc /etc/courier
mount --bind @ROOT@/run /run/courier
mount --bind @SERVERS@/usr/lib/courier-authlib /usr/lib/courier-authlib
mount --bind @ROOT@/passwd /etc/passwd
mount --bind @ROOT@/group /etc/group
@SERVERS@/usr/lib/courier/courier-authlib/authdaemond &

set -a
IMAP_CAPABILITY="IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE"
IMAP_CAPABILITY_TLS="$IMAP_CAPABILITY AUTH=PLAIN"
IMAP_KEYWORDS=1
IMAP_IDLE_TIMEOUT=60
IMAP_USELOCKS=1
TLS_CERTFILE=@ROOT@/imapd.pem
TLS_VERIFYPEER=NONE
MAILDIRPATH=Maildir
COURIERTLS=@SERVERS@/usr/bin/couriertls
listen="@SERVERS@/usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=40 -maxperip=40 -nodnslookup -noidentlookup"
login="@SERVERS@/usr/lib/courier/courier/imaplogin @SERVERS@/usr/bin/imapd Maildir"

IMAP_STARTTLS=YES IMAP_TLS_REQUIRED=1 $listen @IMAP@ $login &
IMAP_TLS=1 exec $listen @IMAPS@ $COURIERTLS -server -tcpd -user=courier $login
