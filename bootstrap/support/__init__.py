"""`support`: one archive of what somebody who helps from afar wants to see, without any secret."""
