package dev.caisson.link;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// One stream of a [Link]: messages and up to three channels of raw bytes, both ways.
///
/// Back-pressure: what has been taken counts as consumed, and is given back to the sender as credit, when the next is asked for; a sender without
/// credit waits. So a reader that forwards before it asks again never lets go of bytes it has not passed on.
/// The end: a side closes when it neither sends nor wants anything more; sending on a stream that the other side has closed fails.
/// Memory: at most the window and one frame for each channel, however hostile the other side; the window is small until the reader has shown that it is quick.
/// Threads: one takes, others may send.
public final class LinkStream implements AutoCloseable {
    /// A reader that takes a whole window within this time is held up by it.
    private static final long QUICK_NANOS = 100_000_000L;
    private static final long FOR_EVER = Long.MAX_VALUE;

    private final Link link;
    private final int id;
    private final LinkLimits limits;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition arrived = lock.newCondition();
    private final Condition mayWrite = lock.newCondition();

    private final ArrayDeque<Entry> inbox = new ArrayDeque<>();
    /// The entry of each raw channel that the next small frame may be added to.
    private final @Nullable Entry[] open = new @Nullable Entry[FrameHeader.CHANNELS];
    private final int[] sendCredit = new int[FrameHeader.CHANNELS];
    private final int[] receiveCredit = new int[FrameHeader.CHANNELS];
    private final int[] consumed = new int[FrameHeader.CHANNELS];
    /// What the other side may have under way on each channel, and since when its reader has taken how much of it.
    private final int[] window = new int[FrameHeader.CHANNELS];
    private final long[] since = new long[FrameHeader.CHANNELS];
    private final int[] takenSince = new int[FrameHeader.CHANNELS];
    /// Of what the link has to spare. Guarded by the link.
    private int spare;
    private final boolean[] ended = new boolean[FrameHeader.CHANNELS];
    private int queuedMessages;
    private boolean closedByUs;
    private boolean closedByPeer;
    /// Whatever still comes is let go.
    private boolean ignoring;
    private @Nullable String failure;
    private @Nullable Runnable onFailure;
    /// A message that goes out together with what is sent next.
    private byte @Nullable [] held;
    private int takenChannel = -1;
    private int takenBytes;

    LinkStream(Link link, int id, LinkLimits limits) {
        this.link = link;
        this.id = id;
        this.limits = limits;
        Arrays.fill(sendCredit, limits.sendStart());
        Arrays.fill(receiveCredit, limits.receiveStart());
        sendCredit[0] = limits.windowBytes();
        receiveCredit[0] = limits.windowBytes();
        System.arraycopy(receiveCredit, 0, window, 0, window.length);
        Arrays.fill(since, System.nanoTime());
    }

    /// Bytes of what the link has to spare that this stream holds. For the link alone, under its lock.
    int spare() {
        return spare;
    }

    /// Holds so many more.
    void addSpare(int bytes) {
        spare += bytes;
    }

    int id() {
        return id;
    }

    /// The next thing that arrived; waits for it. After [Incoming.Closed] it is answered again and again.
    ///
    /// Errors: [LinkException] when the stream was reset or the link is over.
    public Incoming next() throws LinkException, InterruptedException {
        return take(FOR_EVER);
    }

    /// The same, waiting at most so long; a [LinkException] then.
    public Incoming next(Duration atMost) throws LinkException, InterruptedException {
        return take(atMost.toNanos());
    }

    private Incoming take(long nanos) throws LinkException, InterruptedException {
        giveBackTaken();
        lock.lockInterruptibly();
        try {
            long left = nanos;
            while (inbox.isEmpty()) {
                if (failure != null) {
                    throw new LinkException(failure);
                }
                if (closedByPeer || ignoring) {
                    return new Incoming.Closed();
                }
                if (left <= 0) {
                    throw new LinkException("no answer within " + TimeUnit.NANOSECONDS.toMillis(nanos) + " ms");
                }
                if (nanos == FOR_EVER) {
                    // An alarm is not set where none will go off.
                    arrived.await();
                } else {
                    left = arrived.awaitNanos(left);
                }
            }
            Entry entry = inbox.removeFirst();
            if (open[entry.channel] == entry) {
                open[entry.channel] = null;
            }
            if (entry.end) {
                return new Incoming.End(entry.channel);
            }
            takenChannel = entry.channel;
            takenBytes = entry.length;
            if (entry.channel == 0) {
                queuedMessages--;
                return new Incoming.Message(entry.bytes);
            }
            return new Incoming.Data(entry.channel, ByteBuffer.wrap(entry.bytes, 0, entry.length));
        } finally {
            lock.unlock();
        }
    }

    /// True when [#next] would not wait.
    public boolean isReady() {
        lock.lock();
        try {
            return !inbox.isEmpty() || failure != null || closedByPeer || ignoring;
        } finally {
            lock.unlock();
        }
    }

    /// Has something done, once and on a thread of its own, when the stream fails: the other side lets go of it, or the link is over. At once when it has
    /// failed already; never when it ends well.
    public void onFailure(Runnable action) {
        lock.lock();
        try {
            if (failure == null) {
                onFailure = action;
                return;
            }
        } finally {
            lock.unlock();
        }
        tell(action);
    }

    private static void tell(Runnable action) {
        Thread.ofVirtual().name("stream-failed").start(action);
    }

    /// Lets go of whatever still comes, until the other side has closed the stream.
    public void awaitClose() throws LinkException, InterruptedException {
        while (!(next() instanceof Incoming.Closed)) {
            // Nobody wants it.
        }
    }

    /// Sends one control message; waits for credit.
    public void send(byte[] message) throws LinkException, InterruptedException {
        admit(message);
        out(message(message));
    }

    /// Sends one control message together with whatever is sent next on this stream, so that the other side wakes once for both. The caller sends it soon.
    public void sendWithNext(byte[] message) throws LinkException, InterruptedException {
        admit(message);
        byte[] before;
        lock.lock();
        try {
            before = held;
            held = message;
        } finally {
            lock.unlock();
        }
        if (before != null) {
            link.write(message(before));
        }
    }

    /// Sends one control message and says that nothing more will be sent on this stream. What the other side sends still arrives.
    public void sendLast(byte[] message) throws LinkException, InterruptedException {
        admit(message);
        lock.lock();
        try {
            closedByUs = true;
        } finally {
            lock.unlock();
        }
        out(message(message), Link.Frame.close(id));
        forgetWhenOver();
    }

    private void admit(byte[] message) throws LinkException, InterruptedException {
        if (message.length > limits.maxMessageBytes()) {
            throw new LinkException("a message of " + message.length + " bytes is longer than the " + limits.maxMessageBytes() + " a link carries");
        }
        takeCredit(0, message.length);
    }

    private Link.Frame message(byte[] message) {
        return new Link.Frame(FrameKind.DATA, id, 0, ByteBuffer.wrap(message));
    }

    /// Writes frames behind the message that was held for them.
    private void out(Link.Frame... frames) throws LinkException {
        byte[] before;
        lock.lock();
        try {
            before = held;
            held = null;
        } finally {
            lock.unlock();
        }
        if (before == null) {
            link.write(frames);
        } else {
            var all = new Link.Frame[frames.length + 1];
            all[0] = message(before);
            System.arraycopy(frames, 0, all, 1, frames.length);
            link.write(all);
        }
    }

    /// Sends raw bytes on a channel, all of them; waits for credit.
    public void write(int channel, ByteBuffer data) throws LinkException, InterruptedException {
        while (data.hasRemaining()) {
            int count = takeCredit(channel, Math.min(data.remaining(), limits.maxDataBytes()));
            var frame = data.slice(data.position(), count);
            data.position(data.position() + count);
            out(new Link.Frame(FrameKind.DATA, id, channel, frame));
        }
    }

    /// Says that nothing more will be sent on a channel.
    public void end(int channel) throws LinkException {
        out(new Link.Frame(FrameKind.END, id, channel, Link.EMPTY));
    }

    /// Says that nothing more will be sent on this stream. What the other side sends still arrives.
    public void finish() throws LinkException {
        boolean isAnswer;
        lock.lock();
        try {
            if (closedByUs || failure != null) {
                return;
            }
            closedByUs = true;
            isAnswer = closedByPeer && held == null;
        } finally {
            lock.unlock();
        }
        if (isAnswer) {
            // The other side has nothing to do but to forget the stream, which is not worth waking it for.
            link.writeUnhurried(Link.Frame.close(id));
        } else {
            out(Link.Frame.close(id));
        }
        forgetWhenOver();
    }

    /// Lets go of whatever has come and still comes, after [#finish]; nobody has to wait for the other side's close.
    void ignoreRest() {
        lock.lock();
        try {
            ignoring = true;
            inbox.clear();
            Arrays.fill(open, null);
            queuedMessages = 0;
            arrived.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /// Ends the stream: with a close where the other side has closed already, else at once, both ways. Safe to call twice.
    @Override
    public void close() {
        boolean closeWillDo;
        lock.lock();
        try {
            closeWillDo = closedByPeer;
        } finally {
            lock.unlock();
        }
        if (closeWillDo) {
            try {
                finish();
            } catch (LinkException _) {
                // The link is over, and the stream with it.
            }
        } else {
            reset("no longer wanted");
        }
    }

    /// The same, telling the other side why.
    public void reset(String reason) {
        lock.lock();
        try {
            if (failure != null || closedByUs && closedByPeer) {
                return;
            }
        } finally {
            lock.unlock();
        }
        fail("stream closed: " + reason);
        link.forget(this);
        link.writeReset(id, reason);
    }

    /// True when the link that carries this stream is over, and every stream with it.
    public boolean linkIsOver() {
        return link.over().isPresent();
    }

    /// Waits for credit, and answers how much of it was taken: of raw bytes no more than there is, a message goes whole.
    private int takeCredit(int channel, int bytes) throws LinkException, InterruptedException {
        lock.lockInterruptibly();
        try {
            while (failure == null && !closedByUs && !closedByPeer && sendCredit[channel] <= 0) {
                mayWrite.await();
            }
            if (failure != null) {
                throw new LinkException(failure);
            }
            if (closedByUs || closedByPeer) {
                throw new LinkException("the stream has been closed");
            }
            int taken = channel == 0 ? bytes : Math.min(bytes, sendCredit[channel]);
            sendCredit[channel] -= taken;
            return taken;
        } finally {
            lock.unlock();
        }
    }

    private void giveBackTaken() throws LinkException {
        int channel;
        int credit;
        lock.lock();
        try {
            channel = takenChannel;
            if (channel < 0) {
                return;
            }
            consumed[channel] += takenBytes;
            takenChannel = -1;
            if (consumed[channel] < window[channel] / 4 || failure != null || closedByPeer) {
                return;
            }
            credit = consumed[channel] + widened(channel, consumed[channel]);
            consumed[channel] = 0;
            receiveCredit[channel] += credit;
        } finally {
            lock.unlock();
        }
        link.write(FrameKind.CREDIT, id, channel, ByteBuffer.allocate(4).putInt(0, credit));
    }

    /// Makes the window of a quick reader larger; answers by how much.
    private int widened(int channel, int taken) {
        long now = System.nanoTime();
        takenSince[channel] += taken;
        if (takenSince[channel] < window[channel]) {
            return 0;
        }
        int more = now - since[channel] <= QUICK_NANOS ? link.spare(this, Math.min(window[channel], limits.windowBytes() - window[channel])) : 0;
        since[channel] = now;
        takenSince[channel] = 0;
        window[channel] += more;
        return more;
    }

    // What follows is called by the link's reading thread alone.

    /// Takes in a frame; throws when the other side broke a rule.
    void arrived(FrameHeader header, byte[] payload) throws LinkException {
        lock.lock();
        try {
            if (failure != null) {
                return;
            }
            switch (header.kind()) {
                case DATA -> data(header.channel(), payload);
                case END -> {
                    refuseAfterEnd(header.channel());
                    ended[header.channel()] = true;
                    if (!ignoring) {
                        add(new Entry(header.channel(), Link.NO_BYTES, 0, true));
                    }
                }
                case CREDIT -> credit(header.channel(), ByteBuffer.wrap(payload).getInt());
                case CLOSE -> {
                    if (closedByPeer) {
                        throw new LinkException("stream closed twice");
                    }
                    closedByPeer = true;
                    arrived.signalAll();
                    mayWrite.signalAll();
                }
                case RESET -> {
                    failure = "reset by the other side: " + new String(payload, StandardCharsets.UTF_8);
                    failed();
                }
                case OPEN, PING, PONG -> throw new LinkException(header.kind() + " frame on an open stream");
            }
        } finally {
            lock.unlock();
        }
    }

    boolean isOver() {
        lock.lock();
        try {
            return failure != null || closedByUs && closedByPeer;
        } finally {
            lock.unlock();
        }
    }

    void fail(String reason) {
        lock.lock();
        try {
            if (failure == null) {
                failure = reason;
                inbox.clear();
                Arrays.fill(open, null);
                // Whoever lets go of it itself needs not be told.
                onFailure = null;
                failed();
            }
        } finally {
            lock.unlock();
        }
    }

    /// The link broke: what has arrived may still be taken, then the reason.
    void linkLost(String reason) {
        lock.lock();
        try {
            if (failure == null) {
                failure = reason;
                failed();
            }
        } finally {
            lock.unlock();
        }
    }

    private void failed() {
        arrived.signalAll();
        mayWrite.signalAll();
        Runnable action = onFailure;
        if (action != null) {
            onFailure = null;
            tell(action);
        }
    }

    private void data(int channel, byte[] payload) throws LinkException {
        refuseAfterEnd(channel);
        if (receiveCredit[channel] <= 0) {
            throw new LinkException("data without credit on channel " + channel);
        }
        receiveCredit[channel] -= payload.length;
        if (ignoring) {
            return;
        }
        if (channel == 0) {
            if (++queuedMessages > limits.maxQueuedMessages()) {
                throw new LinkException("more than " + limits.maxQueuedMessages() + " messages waiting");
            }
            add(new Entry(0, payload, payload.length, false));
            return;
        }
        Entry last = open[channel];
        if (last != null && last.append(payload, limits.maxDataBytes())) {
            return;
        }
        var entry = new Entry(channel, payload, payload.length, false);
        add(entry);
        open[channel] = entry;
    }

    /// Queues an entry. A message or an end closes all open entries, so that nothing moves before it.
    private void add(Entry entry) {
        if (entry.channel == 0 || entry.end) {
            Arrays.fill(open, null);
        }
        inbox.addLast(entry);
        arrived.signalAll();
    }

    private void credit(int channel, int bytes) throws LinkException {
        if (bytes <= 0 || sendCredit[channel] > limits.windowBytes() - bytes) {
            throw new LinkException("credit of " + Integer.toUnsignedString(bytes) + " bytes that were never sent");
        }
        sendCredit[channel] += bytes;
        mayWrite.signalAll();
    }

    private void refuseAfterEnd(int channel) throws LinkException {
        if (closedByPeer || ended[channel]) {
            throw new LinkException("data after the end of channel " + channel);
        }
    }

    private void forgetWhenOver() {
        if (isOver()) {
            link.forget(this);
        }
    }

    /// What waits to be taken; small frames of one channel grow into one entry, so that a sender of single bytes costs no more than one of blocks.
    private static final class Entry {
        private final int channel;
        private final boolean end;
        private byte[] bytes;
        private int length;

        Entry(int channel, byte[] bytes, int length, boolean end) {
            this.channel = channel;
            this.bytes = bytes;
            this.length = length;
            this.end = end;
        }

        boolean append(byte[] more, int most) {
            if (length + more.length > most) {
                return false;
            }
            if (length + more.length > bytes.length) {
                bytes = Arrays.copyOf(bytes, Math.min(most, Math.max(256, (length + more.length) * 2)));
            }
            System.arraycopy(more, 0, bytes, length, more.length);
            length += more.length;
            return true;
        }
    }
}
